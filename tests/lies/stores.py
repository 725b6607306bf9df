"""Files of rows: Zarr in its formats, Parquet, CSV, NumPy."""

import io
import tempfile
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from daskgmm import GaussianMixture
from tests.lies.documents import X
from tests.lies.judging import Subject

ROWS = np.tile(X, (5, 1)) + np.arange(300.0)[:, None] / 100

CHECKSUM = {"compressors": [Crc32cCodec()]}
COMPRESSED = {"compressors": [ZstdCodec(level=1)]}
ZARR = {
    "format 3": {"zarr_format": 3, **COMPRESSED},
    "format 3, crc32c": {"zarr_format": 3, **CHECKSUM},
    "format 3, shards": {"zarr_format": 3, "shards": (100, 3), **CHECKSUM},
    "format 2": {"zarr_format": 2},
    "format 2, plain": {"zarr_format": 2, "compressors": None},
}
X_IS_NAMED = ("Input X contains", "X has ", "Found array with")
"""Errors about values name what was given, with row and column: it need not be a file."""

METADATA = ("zarr.json", ".zarray", ".zattrs")

PARQUET = {
    "checksums": {"write_page_checksum": True, "use_dictionary": False},
    "dictionary, snappy": {"write_page_checksum": True},
    "plain": {"use_dictionary": False, "compression": "none"},
}
"""How files are written; the last one without checksums of its pages."""


@cache
def _mixture():
    return GaussianMixture(2, random_state=0, max_iter=2, tol=10).fit(ROWS)


def read(name, folder):
    """Return the moments of all rows, in one pass."""
    found = _mixture().moments(folder / name)
    return f"{found.statistics!r} {found.weighing!r}"


def _files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _zarr(name, part):
    how = ZARR[name]
    with tempfile.TemporaryDirectory() as folder:
        array = zarr.create_array(
            Path(folder, "lies.zarr"), shape=ROWS.shape, chunks=(50, 3), dtype="f8", **how
        )
        array[:] = ROWS
        array.attrs["units"] = "m"
        files = _files(Path(folder))
    metadata = tuple(path for path in files if path.endswith(METADATA))
    chunks = tuple(path for path in files if path not in metadata)
    return Subject(
        f"Zarr {part}: {name}",
        files,
        metadata if part == "metadata" else chunks,
        partial(read, "lies.zarr"),
        named=("lies.zarr", *X_IS_NAMED),
        sealed=part == "chunks" and how.get("compressors") == CHECKSUM["compressors"],
        others=[files[path] for path in (*metadata, *chunks[:2])],
    )


def _parquet_bytes(how):
    table = pa.table({name: ROWS[:, at] for at, name in enumerate("abc")})
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=100, **how)
    return out.getvalue()


def _parquet(name, part):
    whole = _parquet_bytes(PARQUET[name])
    pages = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    return Subject(
        f"Parquet {part}: {name}",
        {"lies.parquet": whole},
        ("lies.parquet",),
        partial(read, "lies.parquet"),
        named=("lies.parquet", *X_IS_NAMED),
        sealed=part == "pages" and name != "plain",
        others=[_parquet_bytes(how) for how in PARQUET.values()],
        span=(4, pages) if part == "pages" else (pages, len(whole)),
    )


def _csv(name):
    text = "\n".join(["a,b,c", *(",".join(map(repr, row.tolist())) for row in ROWS), ""])
    return Subject(
        "CSV",
        {"lies.csv": text.encode()},
        ("lies.csv",),
        partial(read, "lies.csv"),
        named=("lies.csv", *X_IS_NAMED),
        sealed=False,
    )


def _npy(name):
    out = io.BytesIO()
    np.save(out, ROWS)
    return Subject(
        "NumPy",
        {"lies.npy": out.getvalue()},
        ("lies.npy",),
        partial(read, "lies.npy"),
        named=("lies.npy", *X_IS_NAMED),
        sealed=False,
        span=(0, 128),
    )


KINDS = {
    **{
        f"Zarr {part}: {name}": partial(_zarr, name, part)
        for name in ZARR
        for part in ("metadata", "chunks")
    },
    **{
        f"Parquet {part}: {name}": partial(_parquet, name, part)
        for name in PARQUET
        for part in ("footer", "pages")
    },
    "CSV": partial(_csv, "CSV"),
    "NumPy": partial(_npy, "NumPy"),
}
"""What makes each kind."""
