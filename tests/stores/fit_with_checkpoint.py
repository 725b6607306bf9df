"""A driver to be killed."""

import json
import pickle
import time
import warnings
from pathlib import Path

from daskgmm import GaussianMixture
from tests.promises.slow import bits

SETTINGS = {"n_components": 3, "random_state": 0, "max_iter": 12, "tol": 0.0}


def fit_with_checkpoint(url, checkpoint, out, options):
    """Fit with a checkpoint, telling each iteration, and write the bits."""
    warnings.simplefilter("ignore")

    def tell(event):
        name = type(event).__name__
        if name in ("FitStarted", "Iterated"):
            print(name, getattr(event, "resumed", ""), flush=True)
            time.sleep(0.1)

    mixture = GaussianMixture(**SETTINGS)
    mixture.fit(url, checkpoint=checkpoint, listen=tell, storage_options=json.loads(options))
    Path(out).write_bytes(pickle.dumps(bits(mixture)))
