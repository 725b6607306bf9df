"""Predictions in memory by each back end: CPU time of one thread, in turn with each other."""

import time
from typing import NamedTuple

import numpy as np

from daskgmm.gaussian import BACKENDS, STRUCTURES
from daskgmm.gaussian.kernels.backends import default_backend
from daskgmm.models.predictions.made_outputs import wanted_outputs
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.testing.mixtures import random_mixture
from tests.benchmarks.tables import print_table

SHAPES = ((2, 10), (4, 3), (8, 8), (16, 16), (32, 16))
"""Features and components."""

NAMES = ("full", "diag", "tied")

ENTRIES = 800_000
"""Of the rows."""

ROUNDS = 7


class Asked(NamedTuple):
    """Outputs, and the type that they are written in."""

    title: str
    outputs: tuple[str, ...]
    dtype: str


ASKED = (
    Asked("labels", ("label",), "float64"),
    Asked("posteriors", ("posterior",), "float64"),
    Asked("in uint8", ("posterior",), "uint8"),
    Asked("densities", ("log_density",), "float64"),
    Asked("labels, posteriors in uint8", ("label", "posterior"), "uint8"),
)


def by_each_backend(smoke: bool) -> None:
    """Print a table for each type of the rows: ns a row by NumPy, by the compiled kernel, ratio."""
    if default_backend() != "compiled":
        print("No compiled kernel is installed: NumPy does all.")
        return
    for dtype in (np.float64, np.float32):
        rows = [
            [f"{d}, {k}", name, *(_measured(d, k, name, dtype, asked, smoke) for asked in ASKED)]
            for d, k in (SHAPES[:2] if smoke else SHAPES)
            for name in NAMES
        ]
        title = f"Predictions of {np.dtype(dtype)} rows, ns a row: NumPy, compiled (ratio)"
        print_table(title, ["d, k", "structure", *(asked.title for asked in ASKED)], rows)


def _measured(
    d: int, k: int, name: str, dtype: type[np.floating], asked: Asked, smoke: bool
) -> str:
    n = 1000 if smoke else ENTRIES // d
    x = (2 * np.random.default_rng(0).normal(size=(n, d))).astype(dtype)
    parameters = random_mixture(STRUCTURES[name], k, d)
    predictors = [Predictor(parameters, by=BACKENDS[each]) for each in ("numpy", "compiled")]
    outputs = wanted_outputs(predictors[0], asked.outputs, asked.dtype, None)
    least = [np.inf, np.inf]
    for _ in range(1 if smoke else ROUNDS):
        for i, predictor in enumerate(predictors):
            began = time.process_time()
            outputs.predict(predictor, x, Place(str))
            least[i] = min(least[i], time.process_time() - began)
    numpy, compiled = (seconds / n * 1e9 for seconds in least)
    return f"{numpy:.0f}, {compiled:.0f} ({numpy / max(compiled, 1e-9):.1f})"
