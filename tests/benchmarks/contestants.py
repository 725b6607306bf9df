"""The same EM iterations by daskgmm, scikit-learn and oneDAL, timed from the outside.

Each contestant is called with rows, a start and a number of iterations, fits, and returns
the seconds of the fit and the iterations that it made. None may stop early: the tolerance
is 0. oneDAL still does when its likelihood repeats to the last bit, as in float32; so the
iterations that it reports are counted, not those that it was asked for.
"""

import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.mixtures import Start

REGULARISATION = 1e-6


class Timed(NamedTuple):
    """One fit."""

    seconds: float
    iterations: int


Contestant = Callable[[NDArray[Any], Start, int], Timed]


def contestants(threads: int) -> dict[str, Contestant]:
    """Return those that are installed, ours first, set to so many threads."""
    import dask

    dask.config.set(num_workers=threads)
    found = {"daskgmm": _ours, "scikit-learn": _scikit_learn}
    try:
        import daal4py
    except ImportError:
        return found
    daal4py.daalinit(threads)
    return {**found, "oneDAL": _onedal}


def _ours(rows: NDArray[Any], start: Start, iterations: int) -> Timed:
    from functools import partial

    from daskgmm import GaussianMixture

    plain = partial(GaussianMixture, acceleration=None)
    return _fit(plain, rows, start, iterations)


def _scikit_learn(rows: NDArray[Any], start: Start, iterations: int) -> Timed:
    from sklearn.mixture import GaussianMixture

    return _fit(GaussianMixture, rows, start, iterations)


def _fit(estimator: Any, rows: NDArray[Any], start: Start, iterations: int) -> Timed:
    model = estimator(
        len(start.weights),
        covariance_type=start.structure,
        max_iter=iterations,
        tol=0.0,
        reg_covar=REGULARISATION,
        **start.keywords(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged: that is what was asked for
        began = time.perf_counter()
        model.fit(rows)
        elapsed = time.perf_counter() - began
    return Timed(elapsed, model.n_iter_)


def _onedal(rows: NDArray[Any], start: Start, iterations: int) -> Timed:
    import daal4py

    single, diagonal = rows.dtype == np.float32, start.structure == "diag"
    weights = start.weights[None].astype(rows.dtype)
    covariances = [c.astype(rows.dtype) for c in np.atleast_3d(start.covariances)]
    if diagonal:
        covariances = [c.T.copy() for c in covariances]
    algorithm = daal4py.em_gmm(
        nComponents=len(start.weights),
        fptype="float" if single else "double",
        maxIterations=iterations,
        accuracyThreshold=0.0,
        regularizationFactor=REGULARISATION,
        covarianceStorage="diagonal" if diagonal else "full",
    )
    began = time.perf_counter()
    result = algorithm.compute(rows, weights, start.means.astype(rows.dtype), covariances)
    return Timed(time.perf_counter() - began, int(result.nIterations[0, 0]))
