"""A driver to be killed.

It writes to Zarr from a Zarr array, and to Parquet from Parquet files, as OUT ends.
"""

import time
import warnings

import dask.dataframe as dd

from daskgmm import load_model
from daskgmm.models.writers.parquet_target import is_parquet_target
from tests.promises.slow import slowed

SECONDS = 0.03
"""For each chunk of rows to come."""


def slowed_frame(path):
    """Return Parquet files as a frame whose every partition takes so long to come."""
    frame = dd.read_parquet(path)
    return frame.map_partitions(_wait, meta=frame._meta)


def _wait(frame):
    time.sleep(SECONDS)
    return frame


def predict_to_be_killed(data, model, out):
    """Write predictions, telling each batch."""
    warnings.simplefilter("ignore")
    mixture = load_model(model)

    def tell(done, total):
        print(done, total, flush=True)

    if is_parquet_target(out):
        x = slowed_frame(data)
        mixture.predict_to_parquet(x, out, key="name", progress=tell)
    else:
        x = slowed(data, SECONDS)
        mixture.predict_to_zarr(x, out, ["label", "posterior"], chunks=5000, progress=tell)
