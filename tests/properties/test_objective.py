"""What EM promises of the objective, of steps and of moments."""

from itertools import pairwise, permutations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskgmm import BayesianGaussianMixture, GaussianMixture
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.names import NAMES_OF_MCLUST
from tests.properties.models import assert_alike, begun, closeness, fit, quiet, structure_of
from tests.properties.strategies import (
    bayesian_settings,
    nasty_tables,
    settings_of,
    structures,
    tame_tables,
)

LETTERS = {own: letters for letters, own in NAMES_OF_MCLUST.items()}

FREEDOM = "IEV"
"""What a letter allows, each what stands before it as well: none, one for all, one each."""

ROUNDING = 1e-9

ROUNDING_OF_FACTORS = 10 * float(np.finfo(float).eps)
"""Rounding of log densities by a covariance, over the condition of its correlations."""


def letters(name):
    """Return the letters of volume, shape and orientation of a structure."""
    return LETTERS.get(name, name)


def is_within(narrow, wide):
    """Return whether every mixture of a structure is one of another structure."""
    return all(
        FREEDOM.index(one) <= FREEDOM.index(other)
        for one, other in zip(letters(narrow), letters(wide), strict=True)
    )


NESTED = [(narrow, wide) for narrow, wide in permutations(STRUCTURES, 2) if is_within(narrow, wide)]


def test_structures_are_nested_as_their_letters_say():
    assert ("spherical", "full") in NESTED
    assert ("VVE", "full") in NESTED
    assert ("VVE", "EVV") not in NESTED
    assert ("diag", "VVE") in NESTED


def assert_never_falls(mixture, slack=0.0):
    bounds = np.array(mixture.lower_bounds_)
    falls = -np.diff(bounds)
    allowed = ROUNDING * np.maximum(1.0, np.abs(bounds[1:])) + slack
    assert (falls <= allowed).all(), (falls.max(initial=0.0), bounds.tolist())


@given(st.data())
def test_a_fit_of_any_rows_is_usable(data):
    """And its bound does not fall, where acceleration counts `reg_covar` in it."""
    table = data.draw(nasty_tables())
    settings = data.draw(settings_of(table.x.shape[1]))
    x = table.x
    mixture = fit(GaussianMixture(table.k, max_iter=12, **settings), x, table.weights)
    for name in ("weights_", "means_", "covariances_", "precisions_", "lower_bounds_"):
        assert np.isfinite(getattr(mixture, name)).all(), name
    noise = getattr(mixture, "noise_weight_", 0.0)
    assert mixture.weights_.sum() + noise == pytest.approx(1.0, abs=1e-12)
    assert (mixture.weights_ >= 0).all()
    with quiet():
        proba, scores = mixture.predict_proba(x), mixture.score_samples(x)
        assert np.isfinite(proba).all()
        assert np.isfinite(scores).all()
        rounding = 1e3 * float(np.finfo(scores.dtype).eps)
        assert mixture.score(x) == pytest.approx(scores.mean(dtype=float), rel=rounding)
        outliers = mixture.outlier_proba(x) if noise else 0.0
    np.testing.assert_allclose(proba.sum(1) + outliers, 1.0, rtol=rounding)
    accelerated = "acceleration" not in settings and structure_of(settings).free
    if accelerated and not {"tails", "noise"} & set(settings):
        assert_never_falls(mixture, rounding_of(mixture))


def rounding_of(mixture):
    """Return what rounding of covariances that are nearly singular may move a bound by, in nats."""
    covariances = mixture.covariances_in_data_units()
    deviations = np.sqrt(np.einsum("kii->ki", covariances))
    correlations = covariances / deviations[:, :, None] / deviations[:, None, :]
    return ROUNDING_OF_FACTORS * float(np.linalg.cond(correlations).max())


@pytest.mark.slow
@given(st.data())
def test_the_objective_never_falls(data):
    """Of plain EM with hardly any `reg_covar`: the likelihood, with the prior's density."""
    table = data.draw(tame_tables())
    settings = data.draw(settings_of(table.x.shape[1]))
    unit = 1.0 if settings.get("standardise") else float(table.x.std(0).mean())
    mixture = GaussianMixture(table.k, max_iter=30, tol=0.0, reg_covar=1e-12 * unit**2, **settings)
    slack = 1e-7 * table.x.shape[1]
    assert_never_falls(fit(mixture, table.x, table.weights), slack)


@given(st.data())
def test_a_bound_never_falls(data):
    table = data.draw(tame_tables())
    settings = data.draw(bayesian_settings()) | {"init_params": "random_from_data"}
    reg_covar = 1e-9 * float(np.asarray(table.x, float).var(0).mean())
    mixture = BayesianGaussianMixture(
        table.k + 1, max_iter=20, tol=0.0, reg_covar=reg_covar, **settings
    )
    assert_never_falls(fit(mixture, table.x, table.weights), slack=1e-8)


@given(st.data())
def test_a_wider_structure_is_never_less_likely(data):
    table = data.draw(tame_tables(types=st.sampled_from(["f8", "f4"])))
    narrow, wide = data.draw(st.sampled_from(NESTED))
    one = fit(begun(table, {"covariance_type": narrow}, 4), table.x, table.weights)
    structure, d = STRUCTURES[wide], table.x.shape[1]
    matrices = one.covariances_in_data_units()[: structure.n_covariances(table.k)]
    form = structure.precision
    factors = form.factorise(np.ascontiguousarray(form.of_matrices(matrices)))
    other = GaussianMixture(
        table.k, covariance_type=wide, acceleration=None, tol=0.0, max_iter=3,
        weights_init=one.weights_, means_init=one.means_, reg_covar=one.reg_covar,
        precisions_init=structure.external(form.precisions(factors), d),
    )  # fmt: skip
    fit(other, table.x, table.weights)
    scored = one.score(table.x, sample_weight=table.weights)
    scale = max(1.0, abs(scored))
    assert other.lower_bounds_[0] == pytest.approx(scored, abs=1e-8 * scale)
    assert_never_falls(other, slack=1e-8 * scale)


@given(st.data())
def test_moments_of_parts_add_up(data):
    table = data.draw(tame_tables())
    settings = data.draw(structures(table.x.shape[1]))
    mixture = fit(begun(table, settings, 1), table.x, table.weights)
    x, weights = table.x, np.ones(len(table.x)) if table.weights is None else table.weights
    parts = [
        slice(first, stop)
        for first, stop in pairwise(np.cumsum((0, *table.chunks)))
        if weights[first:stop].any()
    ]
    with quiet():
        first, *others = (mixture.moments(x[part], weights[part]) for part in parts)
        added = sum(others, first)
        whole = mixture.moments(da.from_array(x, chunks=(table.chunks, x.shape[1])), weights)
        scored = mixture.score(x, sample_weight=weights)
        one, other = mixture.step(added), mixture.step(whole)
    assert added.rows == whole.rows
    np.testing.assert_allclose(added.counts, whole.counts, rtol=1e-11)
    assert added.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-11, abs=1e-11)
    assert scored == pytest.approx(whole.log_likelihood, rel=1e-11, abs=1e-11)
    assert_alike(one, other, rtol=closeness(settings))


@given(st.data())
def test_steps_by_hand_are_those_of_a_fit(data):
    table = data.draw(tame_tables())
    settings = data.draw(structures(table.x.shape[1]))
    once = fit(begun(table, settings, 1), table.x, table.weights)
    twice = fit(begun(table, settings, 2), table.x, table.weights)
    with quiet():
        stepped = once.step(once.moments(table.x, table.weights))
    assert stepped.lower_bound_ == pytest.approx(twice.lower_bounds_[-1], rel=1e-10, abs=1e-10)
    assert_alike(twice, stepped, rtol=closeness(settings))
