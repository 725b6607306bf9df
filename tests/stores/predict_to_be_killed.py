"""A driver to be killed."""

import json
import time
import warnings

import dask

import daskgmm.passes.batches
from daskgmm import load_model
from daskgmm.models.writers.parquet_target import is_parquet_target


def predict_to_be_killed(url, model, out, options):
    """Write predictions, telling each batch."""
    warnings.simplefilter("ignore")
    # Few rows, in many batches.
    daskgmm.passes.batches.MIN_BATCH_SECONDS = 1e-7
    mixture, options = load_model(model), json.loads(options)

    def tell(done, total):
        print(done, total, flush=True)
        time.sleep(0.3)

    with dask.config.set(num_workers=1):
        if is_parquet_target(out):
            mixture.predict_to_parquet(url, out, key="name", storage_options=options, progress=tell)
        else:
            mixture.predict_to_zarr(url, out, chunks=20_000, storage_options=options, progress=tell)
