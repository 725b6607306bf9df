"""A driver: python -m tests.deploy.tls.fit DATA ADDRESS|here OUT. It prints its events."""

import json
import pickle
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path

import dask
from distributed import Client

from daskgmm import GaussianMixture
from daskgmm.em.events import BatchDone, PassEnded, as_dict
from tests.promises.slow import bits, slowed

SETTINGS = {"n_components": 4, "max_iter": 3, "tol": 0.0, "random_state": 0}
SECONDS = 0.02
"""Of each chunk: a pass is long enough to be struck in its middle."""


def main(data, address, out):
    """Fit on a cluster, or on one thread of this process, and write the bits."""
    warnings.simplefilter("ignore")
    alone = address == "here"
    with dask.config.set(num_workers=1), nullcontext() if alone else Client(address) as client:
        if client is not None:
            client.wait_for_workers(2, timeout=30)
        mixture = GaussianMixture(**SETTINGS).fit(
            slowed(data, 0.0 if alone else SECONDS), listen=lambda event: tell(event, client)
        )
    Path(out).write_bytes(pickle.dumps(bits(mixture)))


def tell(event, client):
    """Print what a batch or pass is, and how many workers there are."""
    if isinstance(event, BatchDone | PassEnded):
        workers = 0 if client is None else len(client.nthreads())
        print(json.dumps({**as_dict(event), "workers": workers}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
