"""What drivers do: a fit with a checkpoint, or predictions that are written."""

import errno
import hashlib
import pickle
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import zarr
from distributed import Client

from daskgmm import load_model
from tests.promises.options import BESIDE, OPTIONS, D, made, rows
from tests.promises.slow import bits
from tests.soak.faults import FaultyStore, clock_that_jumps, refusing_disk

N, CHUNK = 12_000, 400

FIT, TO_ZARR, TO_PARQUET = "fit", "to Zarr", "to Parquet"

WORK = [FIT, FIT, TO_ZARR, TO_PARQUET]

FITTED = [option for option in OPTIONS if option not in BESIDE]

WRITTEN = ("label", "posterior")

TROUBLES = {
    "clock": clock_that_jumps,
    "full disk": partial(refusing_disk, errno.ENOSPC),
    "read-only disk": partial(refusing_disk, errno.EROFS),
}


@dataclass(frozen=True)
class Job:
    """A job for a driver.

    Attributes
    ----------
    work : str
    option : str
        Of those of the promises.
    trouble : str or None
        What goes wrong in the driver, besides its store and its workers.
    """

    work: str
    option: str
    trouble: str | None = None


def write_rows(folder):
    """Write the rows to Zarr, with checksums, and to Parquet."""
    x = rows(N).astype("f4")
    codecs = [zarr.codecs.ZstdCodec(), zarr.codecs.Crc32cCodec()]
    zarr.create_array(folder / "x.zarr", data=x, chunks=(CHUNK, D), compressors=codecs)
    table = pd.DataFrame(x, columns=list("abcd")).assign(name=np.arange(N))
    (folder / "x.parquet").mkdir()
    for part in range(10):
        table[part::10].to_parquet(folder / "x.parquet" / f"part-{part}.parquet")


def estimator(option):
    """Return what is fitted."""
    return made(option, max_iter=6, tol=0.0)


def opened(folder, *, faulty):
    """Return the rows of a Zarr store, which may fail."""
    store = zarr.storage.LocalStore(folder / "x.zarr", read_only=True)
    return zarr.open_array(FaultyStore(store) if faulty else store, mode="r")


def save_model(option, folder):
    """Write the model that predictions are of, unless it is there."""
    path = folder / f"{option}.json"
    if not path.exists():
        estimator(option).fit(opened(folder, faulty=False)).save(path)


def quiet(job, folder, out):
    """Return a digest of what the job makes when nothing goes wrong."""
    out.mkdir()
    with dask.config.set(scheduler="threads", num_workers=2):
        return _done(job, folder, out, faulty=False)


def driver(scheduler, job, folder, out):
    """Do a job on a cluster, and write the digest of what it made beside it."""
    job = pickle.loads(bytes.fromhex(job))
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(Client(scheduler))
        if job.trouble is not None:
            stack.enter_context(TROUBLES[job.trouble]())
        found = _done(job, Path(folder), Path(out), faulty=True)
    Path(out, "found").write_text(found)


def _done(job, folder, out, *, faulty):
    if job.work == FIT:
        mixture = estimator(job.option)
        mixture.fit(opened(folder, faulty=faulty), checkpoint=out / "checkpoint.json")
        return digest(sorted(bits(mixture).items()))
    model = load_model(folder / f"{job.option}.json")
    if job.work == TO_ZARR:
        if not (out / "out.zarr").exists():  # whole, from a driver that was killed after it
            x = opened(folder, faulty=faulty)
            model.predict_to_zarr(x, out / "out.zarr", WRITTEN, chunks=1000)
        written = zarr.open_group(out / "out.zarr", mode="r")
        return digest([(name, written[name][:].tobytes()) for name in WRITTEN])
    if not (out / "out.parquet").exists():
        model.predict_to_parquet(folder / "x.parquet", out / "out.parquet", WRITTEN, key="name")
    table = pd.read_parquet(out / "out.parquet").sort_values("name")
    return digest(table.to_csv(index=False, float_format="%.17g"))


def digest(value):
    """Return a digest of what was found."""
    return hashlib.sha256(pickle.dumps(value, protocol=5)).hexdigest()
