"""What densities, posteriors and predictions of any mixture are."""

from copy import deepcopy
from pathlib import Path
from pickle import dumps, loads

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskgmm import GaussianMixture, load_model
from daskgmm.gaussian.kernels.choice import TOLERANCE
from daskgmm.names import MARGINALISE
from tests.properties.forms import FORMS, made, values
from tests.properties.models import folder, quiet
from tests.properties.strategies import SEEDS, mixtures

METHODS = ("predict", "predict_proba", "score_samples")

PLAIN_FORMS = [name for name in sorted(FORMS) if not FORMS[name].fit]

PLAIN = st.sampled_from(["full", "tied", "diag", "spherical"])


@st.composite
def drawn(draw, troubles=True, least=1, most=5, **settings):
    """Draw a mixture with given parameters, and rows near it and far."""
    d, k = draw(st.integers(least, most)), draw(st.integers(1, 4))
    weights, means, matrices = draw(mixtures(d, k, troubles))
    kind = draw(PLAIN)
    covariances = {
        "full": matrices,
        "tied": matrices[0],
        "diag": np.einsum("kii->ki", matrices).copy(),
        "spherical": np.einsum("kii->k", matrices) / d,
    }[kind]
    mixture = GaussianMixture.from_parameters(
        weights, means, covariances, covariance_type=kind, **settings
    )
    random = np.random.default_rng(draw(SEEDS))
    labels = random.integers(k, size=draw(st.integers(1, 30)))
    spread = np.sqrt(np.einsum("kii->ki", mixture.covariances_in_data_units()))
    far = draw(st.sampled_from([0.0, 1.0, 5.0, 1e3, 1e8] if troubles else [1.0, 5.0]))
    x = means[labels] + far * random.normal(size=(len(labels), d)) * spread[labels]
    return mixture, x


def exactly(mixture, x):
    """Return log densities of components (n, k) in extended precision."""
    x, found = np.asarray(x, np.longdouble), []
    for weight, mean, matrix in zip(
        mixture.weights_, mixture.means_, mixture.covariances_in_data_units(), strict=True
    ):
        difference, scale = x - mean.astype(np.longdouble), np.sqrt(np.diagonal(matrix))
        factor = cholesky(np.asarray(matrix, np.longdouble) / scale[:, None] / scale)
        z = solve(factor, (difference / scale).T)
        halves = np.log(np.diagonal(factor)).sum() + np.log(scale.astype(np.longdouble)).sum()
        constant = len(mean) * np.log(2 * np.longdouble(np.pi)) / 2
        with np.errstate(divide="ignore"):
            found.append(np.log(np.longdouble(weight)) - constant - halves - (z**2).sum(0) / 2)
    return np.array(found).T


def cholesky(matrix):
    factor = np.zeros_like(matrix)
    for j in range(len(matrix)):
        factor[j, j] = np.sqrt(matrix[j, j] - factor[j, :j] @ factor[j, :j])
        factor[j + 1 :, j] = (matrix[j + 1 :, j] - factor[j + 1 :, :j] @ factor[j, :j]) / factor[
            j, j
        ]
    return factor


def solve(factor, y):
    z = np.zeros_like(y)
    for j in range(len(factor)):
        z[j] = (y[j] - factor[j, :j] @ z[:j]) / factor[j, j]
    return z


@given(drawn())
def test_log_densities_are_those_of_extended_precision(case):
    mixture, x = case
    joint = exactly(mixture, x)
    highest = joint.max(1, keepdims=True)
    expected = highest[:, 0] + np.log(np.exp(joint - highest).sum(1))
    with quiet():
        found = mixture.score_samples(x)
    matrices = mixture.covariances_in_data_units()
    condition = max(
        np.linalg.cond(each / np.sqrt(np.outer(*[np.diagonal(each)] * 2))) for each in matrices
    )
    atol = 1e-12 * condition + TOLERANCE
    np.testing.assert_allclose(found, expected.astype(float), rtol=1e-13 * condition, atol=atol)


@given(drawn(), st.booleans())
def test_responsibilities_are_probabilities(case, lazily):
    mixture, x = case
    x = da.from_array(x, chunks=(max(1, len(x) // 3), x.shape[1])) if lazily else x
    with quiet():
        found, labels = values(mixture.predict_proba(x)), values(mixture.predict(x))
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert (found <= 1).all()
    np.testing.assert_allclose(found.sum(1), 1.0, rtol=1e-13)
    chosen = found[np.arange(len(found)), labels]
    np.testing.assert_allclose(chosen, found.max(1), rtol=1e-12)


@given(drawn(), st.data())
def test_a_score_is_the_mean_of_the_log_densities(case, data):
    mixture, x = case
    weights = np.random.default_rng(0).integers(0, 3, len(x)) + 0.5
    if data.draw(st.booleans()):
        weights[0] = 1e140
    lazy = da.from_array(x, chunks=(data.draw(st.integers(1, len(x))), x.shape[1]))
    with quiet():
        each = mixture.score_samples(x)
        for rows in (x, lazy):
            assert mixture.score(rows) == pytest.approx(each.mean(), rel=1e-12, abs=1e-12)
            weighted = mixture.score(rows, sample_weight=weights)
            assert weighted == pytest.approx(
                np.average(each, weights=weights), rel=1e-12, abs=1e-12
            )


@given(st.data())
def test_predictions_are_the_same_in_any_form(data):
    mixture, x = data.draw(drawn())
    x = x.astype(data.draw(st.sampled_from(["f8", "f8", "f4"])))
    rows, name = data.draw(st.integers(1, len(x))), data.draw(st.sampled_from(PLAIN_FORMS))
    with folder() as place, quiet():
        form = made(name, x, place, rows)
        for method in METHODS:
            found = values(getattr(mixture, method)(form))
            expected = values(
                getattr(mixture, method)(x.astype(found.dtype) if name == "list" else x)
            )
            if method == "predict":
                proba = values(mixture.predict_proba(x))
                chosen = proba[np.arange(len(x)), found]
                np.testing.assert_allclose(chosen, proba.max(1), rtol=1e-6)
            else:
                np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13, err_msg=method)


@given(drawn(troubles=False, least=2), SEEDS)
def test_a_joint_density_is_marginal_times_conditional(case, seed):
    mixture, x = case
    d, random = x.shape[1], np.random.default_rng(seed)
    known = np.sort(random.permutation(d)[: random.integers(1, d)])
    left = [column for column in range(d) if column not in known]
    joint, of_known = mixture.score_samples(x), mixture.marginal(known.tolist())
    of_known = of_known.score_samples(x[:, known])
    told = mixture.regress(x[:, known], left)
    np.testing.assert_allclose(values(told.log_density), of_known, rtol=1e-9, atol=1e-9)
    for row in range(min(3, len(x))):
        conditional = mixture.condition({int(column): x[row, column] for column in known})
        of_left = conditional.score_samples(x[row : row + 1, left])
        assert of_known[row] + of_left[0] == pytest.approx(joint[row], rel=1e-9, abs=1e-9)
        mean = conditional.weights_ @ conditional.means_
        within = np.einsum("kii->ki", conditional.covariances_in_data_units())
        variance = conditional.weights_ @ (within + (conditional.means_ - mean) ** 2)
        np.testing.assert_allclose(values(told.mean)[row], mean, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(values(told.variance)[row], variance, rtol=1e-9)


@given(drawn(troubles=False, least=2), SEEDS)
def test_a_marginal_of_a_marginal_is_a_marginal(case, seed):
    mixture, x = case
    order = np.random.default_rng(seed).permutation(x.shape[1])
    twice = mixture.marginal(order.tolist()).marginal([1]).score_samples(x[:, order[1:2]])
    once = mixture.marginal([int(order[1])]).score_samples(x[:, order[1:2]])
    np.testing.assert_allclose(twice, once, rtol=1e-12, atol=1e-12)


@given(drawn(least=2, troubles=False), SEEDS)
def test_gaps_are_filled_with_what_is_expected(case, seed):
    mixture, x = case
    mixture.set_params(missing=MARGINALISE)
    random, d = np.random.default_rng(seed), x.shape[1]
    holed = random.random(x.shape) < 0.4
    rows = np.where(holed, np.nan, x)
    with quiet():
        filled, drawn_values = mixture.impute(rows), mixture.impute(rows, random_state=3)
        lazy = mixture.impute(da.from_array(rows, chunks=(2, d)), random_state=3)
        scores, proba = mixture.score_samples(rows), mixture.predict_proba(rows)
    np.testing.assert_array_equal(filled[~holed], x[~holed])
    np.testing.assert_array_equal(drawn_values[~holed], x[~holed])
    np.testing.assert_allclose(values(lazy), drawn_values, rtol=1e-9, atol=1e-9)
    for row in range(min(4, len(x))):
        known = np.flatnonzero(~holed[row])
        if len(known) == 0:
            assert np.isnan(filled[row]).all()
            continue
        marginal = mixture.marginal(known.tolist())
        marginal.set_params(missing="error")
        of_known = marginal.score_samples(x[row : row + 1, known])[0]
        assert scores[row] == pytest.approx(of_known, rel=1e-10, abs=1e-10)
        np.testing.assert_allclose(
            proba[row], marginal.predict_proba(x[row : row + 1, known])[0], atol=1e-9
        )
        if len(known) < d:
            conditional = mixture.condition({int(column): x[row, column] for column in known})
            mean = conditional.weights_ @ conditional.means_
            np.testing.assert_allclose(filled[row, holed[row]], mean, rtol=1e-9, atol=1e-9)


@given(drawn(), SEEDS)
def test_saved_mixtures_predict_the_same_bits(case, seed):
    mixture, x = case
    with folder() as place, quiet():
        path = Path(place, "model.json")
        mixture.save(path)
        for other in (load_model(path), loads(dumps(mixture)), deepcopy(mixture)):
            for method in METHODS:
                np.testing.assert_array_equal(
                    getattr(other, method)(x), getattr(mixture, method)(x)
                )
        load_model(path).save(Path(place, "again.json"))
        again = load_model(Path(place, "again.json"))
        np.testing.assert_array_equal(again.score_samples(x), mixture.score_samples(x))


@given(drawn(troubles=False))
def test_ranks_are_probabilities_in_the_order_of_densities(case):
    mixture, x = case
    with quiet():
        ranks, densities = mixture.density_rank(x, n_drawn=1000), mixture.score_samples(x)
    assert ((ranks >= 0) & (ranks <= 1)).all()
    order = np.argsort(densities, kind="stable")
    assert (np.diff(ranks[order]) >= -1e-12).all()
