"""Random small tables of all that is awkward end in a usable model, or in one clear error.

DASKGMM_TABLES=10000 makes so many of them; a failure names the number of its table.
"""

import os
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from daskgmm import GaussianMixture, sweep
from daskgmm.errors import (
    ChoiceWarning,
    DaskGMMError,
    DegenerateComponentWarning,
    ResolutionWarning,
    ScaleWarning,
    WeightsWarning,
)

TABLES = int(os.environ.get("DASKGMM_TABLES", "40"))

PARTS = 10

STRUCTURES = ("full", "tied", "diag", "spherical")

OURS = (
    ChoiceWarning, ConvergenceWarning, DegenerateComponentWarning, ResolutionWarning, ScaleWarning,
    WeightsWarning,
)  # fmt: skip


def column(random, n):
    """Return one column of n values: normal, tied, constant, huge, tiny or nearly so."""
    kind = random.integers(9)
    values = random.normal(size=n)
    if kind == 1:
        values = random.poisson(random.uniform(0.2, 5), n).astype(float)
    elif kind == 2:
        values = np.full(n, random.choice([0.0, 1.0, -3e7, 0.1]))
    elif kind == 3:
        values = np.where(random.random(n) < 0.6, 0.0, random.exponential(size=n))
    elif kind == 4:
        values = values.round(1)
    elif kind == 5:
        values[random.integers(n)] = random.choice([1e9, -9999.0, 1e20, 9.96921e36, 1e100])
    elif kind == 6:
        values = values * random.choice([1e-12, 1e-4, 1e6, 1e12])
    elif kind == 7:
        values = values + random.choice([1e3, 1e8])
    elif kind == 8:
        values = values + random.choice([0.0, 8.0, 1e4], n)
    return values


def table(random):
    """Return rows of 2 to 60 and 1 to 4 columns, some copies or sums of others."""
    n, d = int(random.choice([2, 3, 5, 10, 30, 60])), int(random.integers(1, 5))
    x = np.stack([column(random, n) for _ in range(d)], axis=1)
    if d > 1 and random.random() < 0.2:
        x[:, -1] = x[:, 0] + (x[:, 1] if d > 2 else 0)
    if random.random() < 0.2:
        x[: n // 2] = x[n // 2 : n // 2 + n // 2]
    return x


def weights_of(random, n):
    kind = random.integers(5)
    if kind < 2:
        return None
    weights = random.uniform(0.1, 1, n)
    if kind == 3:
        weights[random.random(n) < 0.3] = 0
    return weights * random.choice([1e-12, 1.0, 1e9])


def check(mixture, x, number):
    """Raise unless the mixture answers with numbers, whatever it was fitted to."""
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        assert np.isfinite(getattr(mixture, name)).all(), (number, name)
    assert np.isfinite(mixture.score_samples(x)).all(), number
    posteriors = mixture.predict_proba(x)
    assert np.allclose(posteriors.sum(1), 1), number
    assert ((mixture.predict(x) >= 0) & (mixture.predict(x) < mixture.n_components)).all(), number


def try_table(number):
    """Fit and sweep one table; return what of the project's own was raised or warned."""
    random = np.random.default_rng([2026, number])
    x = table(random)
    weights = weights_of(random, len(x))
    structure, k = str(random.choice(STRUCTURES)), int(random.integers(1, 4))
    settings = {
        "reg_covar": float(random.choice([1e-6, 0.0, 1e-3])), "random_state": number % 7,
        "standardise": bool(random.random() < 0.2),
    }  # fmt: skip
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            mixture = GaussianMixture(k, covariance_type=structure, **settings)
            check(mixture.fit(x, sample_weight=weights), x, number)
            mixture.score(x, sample_weight=weights)
        except ValueError as error:
            told(error, settings, number)
        try:
            found = sweep(
                x, (1, 2, 3), structure, 1, sample_weight=weights, **settings
            )  # fmt: skip
            best = found.best()
            check(best, x, number)
            place = next(i for i, model in enumerate(found.models) if model is best)
            rests = found.table["degenerate"][place] > 0
        except ValueError as error:
            told(error, settings, number)
            rests = False
    kinds = {each.category for each in caught}
    assert kinds <= set(OURS), (number, [str(each.message) for each in caught])
    assert not rests or ChoiceWarning in kinds, number


def told(error, settings, number):
    """Raise unless the error is one of ours, or of a covariance without `reg_covar`."""
    ill = settings["reg_covar"] == 0 and "reg_covar" in str(error)
    assert isinstance(error, DaskGMMError) or ill or "minimum of 2" in str(error), (number, error)


@pytest.mark.slow
@pytest.mark.parametrize(
    "part", [0, *(pytest.param(p, marks=pytest.mark.slow) for p in range(1, PARTS))]
)
def test_small_tables(part):
    for number in range(part, TABLES, PARTS):
        try_table(number)
