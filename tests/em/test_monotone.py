"""Promise 5: nasty small data sets neither stop a fit nor lower its likelihood.

scikit-learn's M-step, S / N + reg_covar I, which is ours, maximises the expected
log-likelihood minus reg_covar / 2 * sum_k N_k tr(Sigma_k^-1). So one step may lower the
likelihood by no more than it lowers that penalty, and by nothing where reg_covar is
negligible: this is what is tested, with rounding on top.
"""

import warnings

import numpy as np
import pytest

from daskgmm import GaussianMixture
from daskgmm.companions import Companions
from daskgmm.em.events import silence
from daskgmm.em.expectation import expect
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.survey import TrainingSet
from daskgmm.errors import DegenerateComponentWarning, ScaleWarning
from daskgmm.gaussian import STRUCTURES, maximise
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.choice import choose_kernel, natural_error
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.arrays import ArrayRows

FITS = 220
WHOLE_FITS = 22
"""Data sets that are fitted whole, from starts to the end: a tenth of a second each."""

REG_COVAR = 1e-6


def nasty(random):
    """Return a small data set with something wrong with it."""
    n, d = int(random.integers(2, 60)), int(random.integers(1, 6))
    X = random.normal(size=(n, d))
    X[: n // 2] += random.normal(size=d) * 4
    spoil = random.integers(0, 11)
    if spoil == 0:
        X[:] = X[random.integers(0, max(1, n // 6), size=n)]  # few distinct rows
    elif spoil == 1:
        X[:, 0] = 3.0  # a constant column
    elif spoil == 2:
        X += 1e8
    elif spoil == 3:
        X[0] = 1e6  # an outlier
    elif spoil == 4:
        X = np.round(X)
    elif spoil == 5:
        X[:, -1] = X[:, 0] * 2  # collinear columns
    elif spoil == 6:
        X *= 10.0 ** random.integers(-12, 13, size=d)
    elif spoil == 7:
        X = X.astype(np.float32) + np.float32(1e4)
    elif spoil == 8:
        X[:] = X[0]  # one row, repeated
    elif spoil == 9:
        X = (X > 0).astype(np.int8)
    return X


def penalty(parameters, shares):
    traces = np.einsum("kii->k", np.linalg.inv(covariance_matrices(parameters)))
    return 0.5 * REG_COVAR * float(shares @ traces)


@pytest.fixture(scope="module")
def cases():
    random = np.random.default_rng(2026)
    made = []
    for number in range(FITS):
        X = nasty(random)
        made.append(
            {
                "X": X,
                "k": int(random.integers(1, min(len(X), 7) + 1)),
                "covariance_type": list(STRUCTURES)[number % 4],
                "weights": random.integers(0, 3, size=len(X)) + 1e-3 if number % 3 == 0 else None,
            }
        )
    return made


@pytest.mark.slow
def test_every_fit_ends_in_a_usable_model(cases):
    for number, case in enumerate(cases[:WHOLE_FITS]):
        mixture = GaussianMixture(
            case["k"], covariance_type=case["covariance_type"], random_state=number, max_iter=20
        )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", message="Best performing initialization")
            # BLAS may set flags of lanes that are not used, in k-means++ of scikit-learn.
            warnings.filterwarnings("ignore", "invalid value encountered in mat", module="sklearn")
            warnings.simplefilter("ignore", DegenerateComponentWarning)
            warnings.simplefilter("ignore", ScaleWarning)
            mixture.fit(case["X"], sample_weight=case["weights"])
        for name in ("weights_", "means_", "covariances_", "precisions_", "lower_bounds_"):
            assert np.isfinite(getattr(mixture, name)).all(), (number, name)
        assert abs(mixture.weights_.sum() - 1) < 1e-12
        assert np.isfinite(mixture.predict_proba(case["X"])).all(), number
        assert np.isfinite(mixture.score(case["X"])), number


@pytest.mark.slow
def test_the_likelihood_never_falls_by_more_than_rounding(cases):
    worst = 0.0
    for number, case in enumerate(cases):
        weights = case["weights"]
        beside = Companions(None if weights is None else ArrayRows(weights))
        data = Dataset.of(ArrayRows(case["X"]), beside, 1, 1)
        survey = survey_rows(data, None, silence)
        parameters = first_parameters(case, number)
        before, old, old_shares = None, None, None
        for _ in range(12):
            kernel = choose_kernel(parameters, survey.mean, survey.half_range)
            (statistics,), _ = expect(TrainingSet(data, survey, silence), [kernel])
            bound = statistics.log_likelihood / statistics.weight
            shares = statistics.counts / statistics.weight
            if before is not None:
                allowed = max(0.0, penalty(old, old_shares) - penalty(parameters, old_shares))
                rounding = 1e-12 * (1 + abs(bound)) + conditioning(parameters, survey)
                fall = before - bound - allowed
                worst = max(worst, fall / rounding)
                assert fall <= rounding, (number, before, bound, allowed)
            step = maximise(statistics, case["covariance_type"], REG_COVAR, parameters)
            if step.ridges:
                break  # a ridge is no maximum: its size is in the warning instead
            before, old, old_shares = bound, parameters, shares
            parameters = step.parameters
    assert worst <= 1


def conditioning(parameters, survey):
    """Return what rounding of the data and the means does to a log density, in nats.

    The rows are known to eps times their size only; in units of the smallest deviation, that
    is what a Mahalanobis distance can change by.
    """
    precision = structure_of(parameters).precision
    eps = np.finfo(np.float64).eps
    size = np.maximum(np.abs(survey.maximum), np.abs(survey.minimum))
    noise = (
        eps
        * precision.bilinear_bounds(
            parameters.precisions_cholesky, np.sqrt(size * survey.half_range)[None, :]
        )[0].max()
    )
    return 10 * (noise + min(natural_error(parameters, survey.mean, survey.half_range), 1e-8))


def first_parameters(case, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture = GaussianMixture(
            case["k"],
            covariance_type=case["covariance_type"],
            random_state=seed,
            max_iter=0,
            init_params="random",
        ).fit(case["X"], sample_weight=case["weights"])
    return mixture._parameters()
