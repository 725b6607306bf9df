"""Journals of predictions that were interrupted, and what lies beside them."""

import atexit
import json
import shutil
import tempfile
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from unittest.mock import patch

import dask
import dask.array as da
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr

from daskgmm import GaussianMixture
from daskgmm.models.writers.journal import sealed
from daskgmm.models.writers.partial_places import JOURNAL
from tests.lies.documents import Killed, X
from tests.lies.judging import Subject

ROWS = np.tile(X, (10, 1)) + np.arange(600.0)[:, None] / 100
CHUNK = 100


@cache
def _mixture():
    return GaussianMixture(2, random_state=0, tol=0.1).fit(ROWS)


def _to_zarr(folder, progress=None):
    out = folder / "lies.zarr"
    rows = da.from_array(ROWS, chunks=(CHUNK, 3), name="lies")
    written = _mixture().predict_to_zarr(
        rows, out, ["label", "posterior"], chunks=CHUNK, progress=progress
    )
    group = zarr.open_group(out, mode="r")
    found = [group[name][:].tolist() for name in ("label", "posterior")]
    return f"{written.rows} {written.counts.tolist()} {found}"


@cache
def _table():
    """Return the path of a file of the rows that stays as it is, as journals know its time."""
    path = Path(tempfile.mkdtemp(prefix="daskgmm-lies-"), "rows.parquet")
    atexit.register(shutil.rmtree, path.parent)
    pq.write_table(pa.table(dict(zip("abc", ROWS.T, strict=True))), path, row_group_size=CHUNK)
    return path


def _to_parquet(folder, progress=None):
    out = folder / "lies"
    written = _mixture().predict_to_parquet(_table(), out, progress=progress)
    found = pq.read_table(out).to_pydict()
    return f"{written.rows} {written.counts.tolist()} {found}"


def _small(read, folder, progress=None):
    """Read in batches of a few rows each."""
    with (
        patch("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9),
        dask.config.set(num_workers=1),
    ):
        return read(folder, progress)


def _interrupted(read):
    def die(done, total):
        if done >= 2:
            raise Killed

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with suppress(Killed):
            _small(read, folder, die)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def _subject(name, read, part):
    files = _interrupted(read)
    journal = tuple(path for path in files if path.endswith(JOURNAL))
    metadata = tuple(path for path in files if path.endswith("zarr.json"))
    return Subject(
        f"{part}: {name}",
        files,
        journal if part == "journal" else metadata,
        partial(_small, read),
        named=("lies",),
        sign=sealed if part == "journal" else None,
        others=(b'{"folder": 3}', json.dumps({"run": "0" * 32, "folder": "../.."}).encode()),
    )


KINDS = {
    "journal: Zarr": lambda: _subject("Zarr", _to_zarr, "journal"),
    "journal: Parquet": lambda: _subject("Parquet", _to_parquet, "journal"),
    "begun: Zarr": lambda: _subject("Zarr", _to_zarr, "begun"),
}
"""What makes each kind."""
