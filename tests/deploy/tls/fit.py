"""A driver: python -m tests.deploy.tls.fit DATA ADDRESS OUT. It prints its events."""

import json
import pickle
import sys
import warnings
from pathlib import Path

from distributed import Client

from daskgmm import GaussianMixture
from daskgmm.em.events import BatchDone, PassEnded, as_dict
from tests.promises.slow import bits, slowed
from tests.waiting import LONGEST

SETTINGS = {"n_components": 4, "max_iter": 3, "tol": 0.0, "random_state": 0}
SECONDS = 0.02
"""Of each chunk: a pass is long enough to be struck in its middle."""


def main(data, address, out):
    """Fit on a cluster, and write the bits."""
    warnings.simplefilter("ignore")
    with Client(address) as client:
        client.wait_for_workers(2, timeout=LONGEST)

        def tell(event):
            if isinstance(event, BatchDone | PassEnded):
                workers = len(client.nthreads())
                print(json.dumps({**as_dict(event), "workers": workers}), flush=True)

        mixture = GaussianMixture(**SETTINGS).fit(slowed(data, SECONDS), listen=tell)
    Path(out).write_bytes(pickle.dumps(bits(mixture)))


if __name__ == "__main__":
    main(*sys.argv[1:])
