"""Whatever is wrong with rows: finite numbers, or an error of daskgmm that says what."""

from copy import deepcopy
from functools import partial
from pathlib import Path
from traceback import extract_tb

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import daskgmm
from daskgmm import BayesianGaussianMixture, GaussianMixture, GaussianMixtureClassifier, compare
from daskgmm.errors import DaskGMMError, DependenceWarning
from daskgmm.names import ADAPTED, MARGINALISE
from tests.properties.models import fit, quiet
from tests.properties.strategies import (
    bayesian_settings,
    gaps,
    nasty_tables,
    settings_of,
    structures,
)

DRAWN = 500


def _numbers(found):
    """Return the numbers of a model or of what a method returns."""
    if hasattr(found, "covariances_"):
        return [found.weights_, found.means_, found.covariances_, found.precisions_cholesky_]
    if isinstance(found, tuple):
        return found
    return [found]


USES = {
    "bic": lambda m, x, w: m.bic(x, sample_weight=w, weights_are="relative"),
    "aic": lambda m, x, w: m.aic(x, sample_weight=w, weights_are="relative"),
    "icl": lambda m, x, w: m.icl(x, sample_weight=w, weights_are="relative"),
    "score": lambda m, x, w: m.score(x, sample_weight=w),
    "rank": lambda m, x, w: m.density_rank(x, n_drawn=DRAWN),
    "level": lambda m, x, w: m.density_level(0.5, n_drawn=DRAWN).log_density,
    "modes": lambda m, x, w: m.modes().log_densities,
    "divergence": lambda m, x, w: m.divergence(m, n_drawn=DRAWN).value,
    "merge": lambda m, x, w: m.merge_components(x, sample_weight=w).predict_clusters(x),
    "drift": lambda m, x, w: m.drift(x, sample_weight=w).p_value,
    "update": lambda m, x, w: m.update(x, sample_weight=w),
    "forget": lambda m, x, w: m.update(x, forget=1.0, sample_weight=w, max_iter=3),
    "adapt": lambda m, x, w: m.map_adapt(
        x, sample_weight=w, weights_are="relative", parameters=ADAPTED, n_iter=2
    ),
    "step": lambda m, x, w: m.step(m.moments(x, w)),
    "sort": lambda m, x, w: m.sort_components(),
    "align": lambda m, x, w: m.align_to(deepcopy(m)),
    "compare": lambda m, x, w: compare(m, m, x, w, n_drawn=DRAWN).distances,
    "sample": lambda m, x, w: m.sample(50)[0],
    "warm": lambda m, x, w: m.set_params(warm_start=True, max_iter=3).fit(x, sample_weight=w),
    "transform": lambda m, x, w: m.transform(x) if hasattr(m, "transform") else 0.0,
    "outliers": lambda m, x, w: m.outlier_proba(x) if m._parameters().makes_room else 0.0,
    "regress": lambda m, x, w: tuple(m.regress(x[:, 1:], [0])),
    "marginal": lambda m, x, w: m.marginal([0]),
}
"""What is asked of a fitted mixture, by name."""


@pytest.mark.slow
@given(st.data())
def test_all_that_a_mixture_is_asked(data):
    table = data.draw(nasty_tables())
    settings = data.draw(settings_of(table.x.shape[1]))
    mixture = fit(GaussianMixture(table.k, max_iter=8, **settings), table.x, table.weights)
    names = data.draw(st.permutations(sorted(USES)))[:6]
    for name in names:
        with quiet(DependenceWarning):
            asked(name, partial(USES[name], deepcopy(mixture), table.x, table.weights))


HOME = Path(daskgmm.__file__).parent


def asked(name, use):
    """Use a mixture; an error that daskgmm raises itself is an answer."""
    try:
        found = use()
    except Exception as error:
        raised = Path(extract_tb(error.__traceback__)[-1].filename)
        refuses = isinstance(error, ValueError) and HOME in raised.parents
        if isinstance(error, DaskGMMError) or refuses:
            return
        raise
    for numbers in _numbers(found):
        assert np.isfinite(np.asarray(numbers, float)).all(), f"{name}: {numbers}"


@given(st.data())
def test_rows_with_gaps(data):
    table = data.draw(nasty_tables())
    x = gaps(table, data.draw(st.sampled_from([0.1, 0.5])))
    counted = x if table.weights is None else x[table.weights > 0]
    assume(not np.isnan(counted).all(axis=0).any())  # a column without values is refused
    settings = data.draw(structures(x.shape[1])) | {"random_state": 0}
    settings["acceleration"] = data.draw(st.sampled_from(["auto", None]))
    mixture = GaussianMixture(table.k, max_iter=8, missing=MARGINALISE, **settings)
    fit(mixture, x, table.weights)
    for numbers in _numbers(mixture):
        assert np.isfinite(numbers).all()
    with quiet():
        filled, scores = mixture.impute(x), mixture.score_samples(x)
        once, again = (mixture.impute(x, random_state=1) for _ in range(2))
        proba = mixture.predict_proba(x)
    assert np.isfinite(filled).all()
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(once[~np.isnan(x)], x[~np.isnan(x)])
    np.testing.assert_allclose(proba.sum(1), 1.0, rtol=1e3 * float(np.finfo(proba.dtype).eps))


@given(st.data())
def test_posteriors(data):
    table = data.draw(nasty_tables())
    settings = data.draw(bayesian_settings()) | {"init_params": "random_from_data"}
    mixture = BayesianGaussianMixture(table.k + 1, max_iter=6, **settings)
    fit(mixture, table.x, table.weights)
    for numbers in _numbers(mixture):
        assert np.isfinite(numbers).all()
    assert np.isfinite(mixture.lower_bounds_).all()
    with quiet():
        proba = mixture.predict_proba(table.x)
    np.testing.assert_allclose(proba.sum(1), 1.0, rtol=1e3 * float(np.finfo(proba.dtype).eps))


@given(st.data())
def test_classes(data):
    table = data.draw(nasty_tables())
    labels = np.array(["a", "b", "c"])[table.random.integers(0, 3, len(table.x))]
    labels[:3], settings = ["a", "b", "c"], data.draw(structures(table.x.shape[1]))
    settings.pop("n_factors", None)
    if settings["covariance_type"] in ("ppca", "factor", "mcfa"):
        settings = {}
    classifier = GaussianMixtureClassifier(1, random_state=0, **settings)
    weights = table.weights
    if weights is not None:
        weights = np.maximum(weights, weights.max() * 1e-3)
    with quiet():
        classifier.fit(table.x, labels, sample_weight=weights)
        proba, found = classifier.predict_proba(table.x), classifier.predict(table.x)
        accuracy = classifier.score(table.x, labels, sample_weight=weights)
    assert accuracy == pytest.approx(np.average(found == labels, weights=weights), rel=1e-12)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(1), 1.0, rtol=1e3 * float(np.finfo(proba.dtype).eps))
