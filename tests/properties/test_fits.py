"""What a fit does not depend on, and what it depends on in a known way."""

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from daskgmm import BayesianGaussianMixture, GaussianMixture
from daskgmm.names import MARGINALISE
from tests.properties.forms import FORMS, made
from tests.properties.models import (
    CLOSE,
    assert_alike,
    assert_same_bits,
    begun,
    closeness,
    fit,
    folder,
)
from tests.properties.profiles import small_batches
from tests.properties.strategies import (
    FORM_NAMES,
    bayesian_settings,
    cuts,
    gaps,
    nasty_tables,
    settings_of,
    structures,
    tame_tables,
)

STEPS = 3
"""Iterations from a start that is given: rounding has not grown, and mistakes show."""


def lazily(table, x, chunks=None):
    chunks = table.chunks if chunks is None else chunks
    return da.from_array(x, chunks=(chunks, x.shape[1]))


@pytest.mark.slow
@given(st.data())
def test_threads_and_caches_change_no_bit(data):
    table = data.draw(nasty_tables())
    settings = data.draw(settings_of(table.x.shape[1]))
    x, found = lazily(table, table.x), []
    cache = data.draw(st.integers(0, 2 * table.x.nbytes))
    with small_batches():
        for threads, kept in ((1, None), (2, cache), (4, None)):
            with dask.config.set(num_workers=threads):
                mixture = GaussianMixture(table.k, max_iter=5, **settings)
                found.append(fit(mixture, x, table.weights, cache=kept))
    for other in found[1:]:
        assert_same_bits(found[0], other)


@given(st.data())
def test_chunks_change_rounding_alone(data):
    table = data.draw(tame_tables())
    settings = data.draw(settings_of(table.x.shape[1])) | {"acceleration": None}
    found = [
        fit(
            GaussianMixture(table.k, max_iter=STEPS, tol=0.0, **settings),
            lazily(table, table.x, chunks), table.weights,
        )
        for chunks in (table.chunks, data.draw(cuts(len(table.x))))
    ]  # fmt: skip
    assert_alike(*found, rtol=closeness(settings))


@given(st.data())
def test_chunks_change_rounding_alone_where_values_are_missing(data):
    table = data.draw(tame_tables())
    settings = begun_settings(data, table) | {"missing": MARGINALISE}
    x = gaps(table)
    found = [
        fit(begun(table, settings), lazily(table, x, chunks), table.weights)
        for chunks in (table.chunks, data.draw(cuts(len(table.x))))
    ]
    assert_alike(*found, rtol=closeness(settings))


def begun_settings(data, table, **beside):
    """Draw settings of which a start can be given."""
    d = table.x.shape[1]
    drawn = data.draw(structures(d)) | {"random_state": 0}
    several = {
        "noise": {"noise": True},
        "t": {"tails": "t"},
        "contaminated": {"tails": "contaminated"},
        "prior": {"prior": "conjugate"},
        "equal": {"equal_weights": True},
    }
    drawn |= several.get(data.draw(st.sampled_from(["", "", *sorted(several)])), {})
    return drawn


@given(st.data())
def test_a_weight_is_as_many_rows(data):
    table = data.draw(tame_tables(kinds=("counts",)))
    settings = begun_settings(data, table)
    n = table.weights.astype(int)
    repeated = np.repeat(table.x, n, axis=0)
    one = fit(begun(table, settings), table.x, table.weights, weights_are="counts")
    other = fit(begun(table, settings), repeated)
    assert_alike(one, other, rtol=closeness(settings))
    assert one.score(table.x, sample_weight=n) == pytest.approx(
        other.score(np.repeat(table.x, n, axis=0)), rel=1e-9
    )
    counted = {"sample_weight": n, "weights_are": "counts"}
    for criterion in ("bic", "aic", "icl"):
        of_rows = getattr(other, criterion)(repeated)
        of_counts = getattr(one, criterion)(table.x, **counted)
        assert of_counts == pytest.approx(of_rows, rel=closeness(settings), abs=1e-5)


@given(st.data())
def test_only_ratios_of_weights_count(data):
    table = data.draw(tame_tables(kinds=("lognormal", "counts")))
    settings = begun_settings(data, table)
    factor = data.draw(st.sampled_from([1e-150, 2.0**-40, 0.3, 3.0, 1e140]))
    one = fit(begun(table, settings), table.x, table.weights)
    other = fit(begun(table, settings), table.x, table.weights * factor)
    assert_alike(one, other, rtol=closeness(settings))


@given(st.data())
def test_rows_of_weight_0_are_not_there(data):
    table = data.draw(tame_tables(kinds=("lognormal",)))
    settings = begun_settings(data, table)
    gone = table.random.random(len(table.x)) < 0.3
    gone[:: max(1, len(gone) // 8)] = False
    weights = np.where(gone, 0.0, table.weights)
    x = table.x.copy()
    if data.draw(st.booleans()):
        x[gone] = data.draw(st.sampled_from([0, 99])) if x.dtype.kind in "iu" else 1e30
    one = fit(begun(table, settings), lazily(table, x), weights)
    other = fit(begun(table, settings), table.x[~gone], table.weights[~gone])
    assert_alike(one, other, rtol=closeness(settings))


@given(st.data())
def test_rows_may_come_in_any_order(data):
    table = data.draw(tame_tables())
    settings = begun_settings(data, table)
    x = gaps(table) if data.draw(st.booleans()) else table.x
    if x is not table.x:
        assume(not {"noise", "tails"} & set(settings))
        settings["missing"] = MARGINALISE
    order = table.random.permutation(len(x))
    weights = table.weights
    one = fit(begun(table, settings), x, weights)
    moved = None if weights is None else weights[order]
    other = fit(begun(table, settings), lazily(table, x[order]), moved)
    assert_alike(one, other, rtol=closeness(settings))


@given(st.data())
def test_columns_may_come_in_any_order(data):
    table = data.draw(tame_tables())
    settings = begun_settings(data, table)
    order = table.random.permutation(table.x.shape[1])
    one = fit(begun(table, settings), table.x, table.weights)
    turned = type(table)(table.x[:, order], table.k, table.weights, table.chunks, table.seed)
    other = fit(begun(turned, settings), turned.x, table.weights)
    back = np.argsort(order)
    np.testing.assert_allclose(other.weights_, one.weights_, atol=closeness(settings))
    found, expected = other.score_samples(table.x[:, order]), one.score_samples(table.x)
    rtol = 10 * closeness(settings)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)
    spread = table.x.std(0)
    moved = (other.means_[:, back] - one.means_) / spread
    np.testing.assert_allclose(moved, 0.0, atol=closeness(settings))


@given(st.data())
def test_units_do_not_matter(data):
    """A shift and a common scale go with every structure; likelihoods follow."""
    table = data.draw(tame_tables(types=st.just("f8")))
    settings = begun_settings(data, table)
    scale, shift = (
        data.draw(st.sampled_from([1.0, 2.0**-20, 1e-5, 3.0, 1e7])),
        data.draw(st.sampled_from([0.0, 1.0, -1e3])),
    )
    unit = table.x.std(0).mean()
    x = (table.x + shift * unit) * scale
    moved = type(table)(x, table.k, table.weights, table.chunks, table.seed)
    one = fit(begun(table, settings), table.x, table.weights)
    other = fit(begun(moved, settings), x, table.weights)
    atol = 10 * closeness(settings)
    np.testing.assert_allclose(other.weights_, one.weights_, atol=atol)
    back = other.means_ / scale - shift * unit
    np.testing.assert_allclose((back - one.means_) / table.x.std(0), 0.0, atol=atol)
    d = x.shape[1]
    found = other.score_samples(x) + d * np.log(scale)
    np.testing.assert_allclose(found, one.score_samples(table.x), rtol=10 * atol, atol=10 * atol)
    np.testing.assert_allclose(other.predict_proba(x), one.predict_proba(table.x), atol=10 * atol)


@pytest.mark.slow
@given(st.data())
def test_equal_values_in_any_form_are_one_model(data):
    table = data.draw(nasty_tables(kinds=("none",)))
    settings = data.draw(settings_of(table.x.shape[1])) | {"acceleration": None}
    rows = data.draw(st.integers(1, len(table.x)))
    names = data.draw(st.sets(FORM_NAMES, min_size=1, max_size=4))
    x = table.x
    for cut in (True, False):
        reference = da.from_array(x, chunks=(rows, x.shape[1])) if cut else x
        several = [name for name in sorted(names) if FORMS[name].cut == cut]
        if not several:
            continue
        expected = fit(GaussianMixture(table.k, max_iter=STEPS, tol=0.0, **settings), reference)
        for name in several:
            with folder() as place:
                given_rows = made(name, x, place, rows)
                mixture = GaussianMixture(table.k, max_iter=STEPS, tol=0.0, **settings)
                found = fit(mixture, given_rows, **dict(FORMS[name].fit))
                if FORMS[name].known:
                    assert_same_bits(expected, found)
                else:
                    np.testing.assert_array_equal(found.n_iter_, expected.n_iter_)


@pytest.mark.slow
@given(st.data())
def test_rows_without_gaps_are_fitted_as_whole_ones(data):
    """Whatever `missing` says: to the bit."""
    table = data.draw(nasty_tables())
    settings = data.draw(settings_of(table.x.shape[1]))
    settings.pop("missing", None)
    x, found = lazily(table, table.x), []
    for missing in ("error", "drop", MARGINALISE):
        mixture = GaussianMixture(table.k, max_iter=5, missing=missing, **settings)
        found.append(fit(mixture, x, table.weights))
    for other in found[1:]:
        assert_same_bits(found[0], other)


@given(st.data())
def test_dropped_rows_are_not_there(data):
    table = data.draw(tame_tables())
    settings = begun_settings(data, table)
    x = gaps(table, 0.1)
    whole = ~np.isnan(x).any(1)
    assume(whole.sum() > 5 * table.k * (x.shape[1] + 1))
    weights = table.weights
    one = fit(begun(table, settings | {"missing": "drop"}), lazily(table, x), weights)
    other = fit(begun(table, settings), x[whole], None if weights is None else weights[whole])
    assert_alike(one, other, rtol=closeness(settings))


@pytest.mark.slow
@given(st.data())
def test_posteriors_of_any_chunks_are_alike(data):
    table = data.draw(tame_tables())
    settings = data.draw(bayesian_settings())
    found = [
        fit(
            BayesianGaussianMixture(table.k, max_iter=STEPS, tol=0.0, **settings),
            lazily(table, table.x, chunks), table.weights,
        )
        for chunks in (table.chunks, data.draw(cuts(len(table.x))))
    ]  # fmt: skip
    assert_alike(*found, rtol=CLOSE)
