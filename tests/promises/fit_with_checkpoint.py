"""A driver to be killed."""

import pickle
import warnings
from pathlib import Path

from daskgmm import GaussianMixture
from tests.promises.slow import SETTINGS, bits, slowed


def fit_with_checkpoint(data, checkpoint, out):
    """Fit with a checkpoint, telling each iteration, and write the bits."""
    warnings.simplefilter("ignore")

    def tell(event):
        name = type(event).__name__
        if name in ("FitStarted", "Iterated"):
            print(name, getattr(event, "resumed", ""), flush=True)

    mixture = GaussianMixture(**SETTINGS)
    mixture.fit(slowed(data, 0.002), checkpoint=checkpoint, listen=tell)
    Path(out).write_bytes(pickle.dumps(bits(mixture)))
