"""The same EM iterations by daskgmm, scikit-learn and oneDAL, timed from the outside.

Each contestant is called with rows, a start and a number of iterations, fits, and returns
the seconds of the fit and the iterations that it made. None may stop early: the tolerance
is 0. oneDAL still does when its likelihood repeats to the last bit, as in float32; so the
iterations that it reports are counted, not those that it was asked for.

Seconds are CPU time of the process with one thread, which other load hardly moves, and wall
time with more.
"""

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.mixtures import Start

REGULARISATION = 1e-6


class Timed(NamedTuple):
    """One fit; `single` counts the iterations that are known to be in float32."""

    seconds: float
    iterations: int
    single: int


Contestant = Callable[[NDArray[Any], Start, int], Timed]

Clock = Callable[[], float]


def contestants(threads: int) -> dict[str, Contestant]:
    """Return those that are installed, ours first, set to so many threads."""
    import dask

    dask.config.set(num_workers=threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    found = {"daskgmm": partial(_ours, clock), "scikit-learn": partial(_scikit_learn, clock)}
    try:
        import daal4py
    except ImportError:
        return found
    daal4py.daalinit(threads)
    return {**found, "oneDAL": partial(_onedal, clock)}


def _ours(clock: Clock, rows: NDArray[Any], start: Start, iterations: int) -> Timed:
    """Fit by plain EM, and ask for float32 where the rows are: the peers take it unasked."""
    from daskgmm import GaussianMixture

    plain = partial(GaussianMixture, acceleration=None, precision=str(rows.dtype))
    model, seconds = _fitted(plain, clock, rows, start, iterations)
    return Timed(seconds, model.n_iter_, sum(model.history_.get("in_float32", ())))


def _scikit_learn(clock: Clock, rows: NDArray[Any], start: Start, iterations: int) -> Timed:
    from sklearn.mixture import GaussianMixture

    model, seconds = _fitted(GaussianMixture, clock, rows, start, iterations)
    return Timed(seconds, model.n_iter_, 0)


def _fitted(
    estimator: Any, clock: Clock, rows: NDArray[Any], start: Start, iterations: int
) -> tuple[Any, float]:
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
        began = clock()
        model.fit(rows)
        return model, clock() - began


def _onedal(clock: Clock, rows: NDArray[Any], start: Start, iterations: int) -> Timed:
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
    began = clock()
    result = algorithm.compute(rows, weights, start.means.astype(rows.dtype), covariances)
    seconds, made = clock() - began, int(result.nIterations[0, 0])
    return Timed(seconds, made, made if single else 0)
