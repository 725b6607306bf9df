"""Claim: with candidates a pass of ten thousand components takes a fifth of the time.

Rows are drawn from mixtures of many components. A fit with `n_candidates` is made from its own
start; beside it a dense fit goes on from where that ended, on a sample of the rows where a dense
pass over all would take long, whose times are scaled. What candidates leave out is what the fit
itself tells, beside that of the dense bound at the same parameters; what a dense fit gains from
there in a few iterations is what truncation has lost and, where the sample has few rows for each
component, also how much closer a fit follows few rows.
"""

import time
import warnings
from statistics import median

import numpy as np

from daskgmm import GaussianMixture
from daskgmm.em.events import Event, Started
from tests.benchmarks.tables import print_table, seconds, times

SHAPES = (
    (1_000, 16, "full", 128, 400_000, 400_000),
    (1_000, 40, "diag", 64, 1_000_000, 200_000),
    (10_000, 40, "diag", 128, 1_000_000, 50_000),
)
"""Components, features, structure, candidates, rows, and rows that dense passes are made over."""

SPREAD = 3.0
"""Standard deviation of the means, in units of that of the components."""

ITERATIONS, DENSE = 12, 3


def main(smoke: bool = False) -> None:
    """Print the table."""
    shapes = [(24, 3, "full", 6, 600, 300)] if smoke else SHAPES
    headers = ["k, d, structure", "candidates", "rows", "start", "pass", "dense pass", "ratio"]
    headers += ["left out", "left out (dense)", "a dense fit gains"]
    print_table("Passes with candidates and without", headers, [_row(*each) for each in shapes])


def _row(k: int, d: int, name: str, m: int, n: int, dense_rows: int) -> list[str]:
    random = np.random.default_rng(0)
    means = SPREAD * random.normal(size=(k, d)).astype(np.float32)
    x = means[random.integers(k, size=n)] + random.normal(size=(n, d)).astype(np.float32)
    settings = {"covariance_type": name, "random_state": 0, "tol": 1e-4}
    began = _Began()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = GaussianMixture(k, n_candidates=m, max_iter=ITERATIONS, **settings)
        found.fit(x, listen=began)
        sample = x[:dense_rows]
        given = {"weights_init": found.weights_, "means_init": found.means_}
        given["precisions_init"] = found.precisions_
        dense = GaussianMixture(k, max_iter=DENSE, **settings, **given).fit(sample)
        one = GaussianMixture(k, n_candidates=m, max_iter=1, **settings, **given).fit(sample)
    own, whole = median(found.history_["seconds"]), median(dense.history_["seconds"])
    whole *= n / dense_rows
    return [
        *(f"{k:,}, {d}, {name}", f"{m}", f"{n:,}", seconds(began.seconds)),
        *(seconds(own), seconds(whole), times(whole / own)),
        f"{found.left_out_:.1e}",
        f"{dense.lower_bounds_[0] - one.lower_bounds_[0]:.1e}",
        f"{dense.lower_bounds_[-1] - dense.lower_bounds_[0]:.1e}",
    ]


class _Began:
    """Seconds from the beginning of a fit to that of its iterations."""

    def __init__(self) -> None:
        self._first, self.seconds = time.perf_counter(), 0.0

    def __call__(self, event: Event) -> None:
        """Take the time where the first iteration begins."""
        if isinstance(event, Started):
            self.seconds = time.perf_counter() - self._first
