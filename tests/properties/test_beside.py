"""What goes beside rows: labels and known noise; and what is drawn and written."""

from pathlib import Path

import dask.array as da
import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from hypothesis import assume, given
from hypothesis import strategies as st

from daskgmm import GaussianMixture
from tests.properties.forms import made
from tests.properties.models import (
    CLOSE,
    assert_alike,
    assert_same_bits,
    begun,
    closeness,
    fit,
    folder,
    quiet,
)
from tests.properties.strategies import nasty_tables, settings_of, structures, tame_tables
from tests.properties.test_densities import drawn


@pytest.mark.slow
@given(st.data())
def test_no_label_and_no_noise_change_no_bit(data):
    table = data.draw(nasty_tables())
    settings = data.draw(settings_of(table.x.shape[1]))
    n, d = table.x.shape
    x = da.from_array(table.x, chunks=(table.chunks, d))
    labels = np.full(n, data.draw(st.sampled_from([-1.0, np.nan])))
    noise = data.draw(st.sampled_from([0.0, np.zeros(d), np.zeros((n, d))]))
    plain, labelled = (
        fit(GaussianMixture(table.k, max_iter=4, **settings), x, table.weights, **beside)
        for beside in ({}, {"labels": labels})
    )
    assert_same_bits(plain, labelled)
    assume(not np.ndim(noise) or n != d)
    mixture = GaussianMixture(table.k, max_iter=4, **settings)
    assert_same_bits(plain, fit(mixture, x, table.weights, noise_variance=noise))


@given(st.data())
def test_rows_that_are_all_labelled_are_one_step(data):
    table = data.draw(tame_tables())
    settings = data.draw(structures(table.x.shape[1]))
    assume(not {"n_factors"} & set(settings))
    labels = table.random.permutation(np.arange(len(table.x)) % table.k)
    reg_covar = 1e-9 * float(np.asarray(table.x, float).var(0).mean())
    mixture = GaussianMixture(
        table.k, random_state=0, acceleration=None, reg_covar=reg_covar, **settings
    )
    x = da.from_array(table.x, chunks=(table.chunks, table.x.shape[1]))
    fit(mixture, x, table.weights, labels=labels)
    weights = np.ones(len(labels)) if table.weights is None else table.weights
    for component in range(table.k):
        own = labels == component
        mean = np.average(table.x[own].astype(float), axis=0, weights=weights[own])
        moved = (mixture.means_[component] - mean) / table.x.std(0)
        np.testing.assert_allclose(moved, 0.0, atol=CLOSE)
        share = weights[own].sum() / weights.sum()
        assert mixture.weights_[component] == pytest.approx(share, abs=1e-10)


@given(st.data())
def test_noise_of_all_rows_is_noise_of_each(data):
    """However it is given; and chunks change rounding alone."""
    table = data.draw(tame_tables(types=st.just("f8")))
    n, d = table.x.shape
    settings = data.draw(structures(d))
    assume("n_factors" not in settings)
    noise = table.random.uniform(0.01, 0.3, d) * table.x.var(0)
    several = [
        noise, np.tile(noise, (n, 1)), np.diag(noise), np.tile(np.diag(noise), (n, 1, 1)),
        da.from_array(np.tile(noise, (n, 1)), chunks=(5, d)),
    ]  # fmt: skip
    one, other = (several[index] for index in data.draw(st.permutations(range(5)))[:2])
    x = da.from_array(table.x, chunks=(table.chunks, d))
    found = [
        fit(begun(table, settings), rows, table.weights, noise_variance=given_noise)
        for rows, given_noise in ((table.x, one), (x, other))
    ]
    assert_alike(*found, rtol=10 * closeness(settings))
    with quiet():
        scored = [found[0].score(table.x, noise_variance=each) for each in (one, other)]
        each = found[0].score_samples(table.x, noise_variance=one)
    assert scored[0] == pytest.approx(scored[1], rel=1e-9, abs=1e-9)
    assert scored[0] == pytest.approx(each.mean(), rel=1e-11, abs=1e-11)


@given(drawn(), st.integers(1, 40_000), st.data())
def test_drawn_rows_do_not_depend_on_chunks(case, n, data):
    mixture, _ = case
    chunks = [data.draw(st.integers(max(1, n // 7), n)) for _ in range(2)]
    (x, y), (other, labels) = (mixture.sample_lazily(n, chunks=each, seed=3) for each in chunks)
    np.testing.assert_array_equal(x.compute(), other.compute())
    np.testing.assert_array_equal(y.compute(), labels.compute())


@pytest.mark.slow
@given(drawn(), st.data())
def test_written_predictions_are_those_in_memory(case, data):
    mixture, x = case
    rows, chunk = (data.draw(st.integers(1, len(x))) for _ in range(2))
    name = data.draw(st.sampled_from(["array", "Dask", "Zarr", "NumPy file", "HDF5", "parts"]))
    outputs = ["label", "posterior", "log_density"]
    with folder() as place, quiet():
        given_rows = made(name, x, place, rows)
        out = Path(place, "p.zarr")
        mixture.predict_to_zarr(given_rows, out, outputs, chunks=chunk, dtype="float64")
        group = zarr.open_group(out, mode="r")
        labels, posterior, density = (group[each][:] for each in outputs)
        np.testing.assert_allclose(density, mixture.score_samples(x), rtol=1e-12, atol=1e-13)
        proba = mixture.predict_proba(x)
        np.testing.assert_allclose(posterior, proba, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(proba[np.arange(len(x)), labels], proba.max(1), rtol=1e-9)
        table, out = made("Parquet", x, place, rows), Path(place, "p.parquet")
        mixture.predict_to_parquet(table, out, outputs, dtype="float64")
        found = pq.read_table(out).to_pandas()
        np.testing.assert_array_equal(found["label"], labels)
        np.testing.assert_allclose(found["log_density"], density, rtol=1e-12, atol=1e-13)


@given(st.data())
def test_labels_may_be_of_components_in_any_order(data):
    table = data.draw(tame_tables())
    d = table.x.shape[1]
    settings = data.draw(structures(d))
    random = table.random
    labels = np.where(random.random(len(table.x)) < 0.3, np.arange(len(table.x)) % table.k, -1)
    order = random.permutation(table.k)
    one = begun(table, settings)
    moved = np.where(labels >= 0, np.argsort(order)[labels], -1)
    other = begun(table, settings)
    other.set_params(weights_init=one.weights_init[order], means_init=one.means_init[order])
    fit(one, table.x, table.weights, labels=labels)
    fit(other, table.x, table.weights, labels=moved)
    rtol = closeness(settings)
    np.testing.assert_allclose(other.weights_, one.weights_[order], atol=rtol)
    moved = (other.means_ - one.means_[order]) / table.x.std(0)
    np.testing.assert_allclose(moved, 0.0, atol=rtol)
