"""Rows that miss a value: an error, or left out, whatever they come from."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from sklearn.exceptions import ConvergenceWarning

from daskgmm import GaussianMixture, sweep
from daskgmm.errors import DataError

K, D = 3, 2


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    random = np.random.default_rng(0)
    clusters = [random.normal(size=(400, D)) + mean for mean in ([0, 0], [6, 0], [0, 7])]
    return random.permutation(np.concatenate(clusters))


@pytest.fixture(scope="module")
def holed(rows: np.ndarray) -> np.ndarray:
    """The same rows with NaN in some: in one column, in all, in the first and the last row."""
    holed = rows.copy()
    random = np.random.default_rng(1)
    holed[random.choice(len(rows), 200, replace=False), random.integers(0, D, 200)] = np.nan
    holed[[0, -1]] = np.nan
    return holed


def present(x: np.ndarray) -> np.ndarray:
    return ~np.isnan(x).any(axis=1)


def as_source(x: np.ndarray, kind: str, tmp_path: object) -> object:
    if kind == "dask":
        return da.from_array(x, chunks=(77, 1))
    if kind == "zarr":
        array = zarr.create_array(f"{tmp_path}/x.zarr", shape=x.shape, chunks=(100, D), dtype="f8")
        array[:] = x
        return array
    return x


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
def test_dropped_rows_are_removed_rows(
    holed: np.ndarray, kind: str, structure: str, tmp_path: object
) -> None:
    settings = {"covariance_type": structure, "random_state": 0, "missing": "drop"}
    found = GaussianMixture(K, **settings).fit(as_source(holed, kind, tmp_path))
    expected = GaussianMixture(K, **settings).fit(holed[present(holed)])
    np.testing.assert_allclose(found.means_, expected.means_, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found.covariances_, expected.covariances_, rtol=1e-8, atol=1e-9)
    assert found.fitted_on_["rows"] == present(holed).sum()
    assert found.fitted_on_["missing"] == (~present(holed)).sum()


def test_weights_go_with_their_rows(holed: np.ndarray) -> None:
    weights = np.random.default_rng(2).integers(0, 4, len(holed)).astype(float)
    weights[5] = np.nan
    kept = present(holed) & ~np.isnan(weights)
    settings = {"random_state": 0, "missing": "drop"}
    chunked = da.from_array(holed, chunks=(50, D))
    found = GaussianMixture(K, **settings).fit(chunked, sample_weight=weights)
    expected = GaussianMixture(K, **settings).fit(holed[kept], sample_weight=weights[kept])
    np.testing.assert_allclose(found.means_, expected.means_, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_predictions_say_what_was_missing(
    rows: np.ndarray, holed: np.ndarray, kind: str, tmp_path: object
) -> None:
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(holed)
    source, here = as_source(holed, kind, tmp_path), present(holed)
    labels = np.asarray(mixture.predict(source))
    posteriors = np.asarray(mixture.predict_proba(source))
    densities = np.asarray(mixture.score_samples(source))
    assert (labels[~here] == -1).all()
    assert np.isnan(posteriors[~here]).all()
    assert np.isnan(densities[~here]).all()
    np.testing.assert_array_equal(labels[here], mixture.predict(holed[here]))
    np.testing.assert_allclose(posteriors[here], mixture.predict_proba(holed[here]), atol=1e-15)
    assert mixture.score(source) == pytest.approx(densities[here].mean(), rel=1e-12)
    assert mixture.bic(source) == pytest.approx(mixture.bic(holed[here]), rel=1e-12)
    assert mixture.icl(source) == pytest.approx(mixture.icl(holed[here]), rel=1e-12)


def test_float32_stays_float32(holed: np.ndarray) -> None:
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(holed)
    assert mixture.predict_proba(holed.astype("f4")).dtype == np.float32


def test_missing_values_are_an_error_by_default(holed: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"contains NaN in row 0 .*missing='drop'"):
        GaussianMixture(K).fit(holed)
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(holed)
    mixture.missing = "error"
    with pytest.raises(DataError, match="contains NaN in row 0"):
        mixture.predict(holed)


def test_other_bad_values_are_found_where_they_are(holed: np.ndarray) -> None:
    bad = holed.copy()
    place = int(np.flatnonzero(present(bad))[-1])
    bad[place, 1] = np.inf
    with pytest.raises(DataError, match=rf"infinity in row {place} \(batch 0\), column 1"):
        GaussianMixture(K, missing="drop").fit(bad)
    mixture = GaussianMixture(K, random_state=0, missing="drop").fit(holed)
    for predict in (mixture.predict, mixture.score):
        with pytest.raises(DataError, match=rf"infinity in row {place}\b"):
            np.asarray(predict(da.from_array(bad, chunks=(len(bad), D))))
    weights = np.ones(len(bad))
    weights[place] = -1
    with pytest.raises(DataError, match=rf"negative value in row {place} "):
        GaussianMixture(K, missing="drop").fit(holed, sample_weight=weights)


def test_nothing_left() -> None:
    with pytest.raises(DataError, match="A value is missing in 10 rows"):
        GaussianMixture(2, missing="drop").fit(np.full((10, 2), np.nan))


def test_samples_do_not_depend_on_chunks(holed: np.ndarray) -> None:
    many = np.tile(holed, (30, 1))
    many += np.random.default_rng(3).normal(size=many.shape) * 0.1
    settings = {"random_state": 0, "missing": "drop", "sample_rows": 2000}
    fits = [
        GaussianMixture(K, **settings).fit(da.from_array(many, chunks=(chunk, D)))
        for chunk in (1000, 7777)
    ]
    np.testing.assert_allclose(fits[0].means_, fits[1].means_, rtol=1e-8, atol=1e-9)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")  # few sizes
def test_sweeps_drop_rows_too(holed: np.ndarray) -> None:
    found = sweep(holed, range(1, 5), random_state=0, missing="drop")
    expected = sweep(holed[present(holed)], range(1, 5), random_state=0)
    assert found.best().n_components == expected.best().n_components == K
    assert found.best().fitted_on_["missing"] == (~present(holed)).sum()
    assert (found.best().predict(holed) == -1).sum() == (~present(holed)).sum()


@pytest.mark.filterwarnings("ignore", category=ConvergenceWarning)
def test_scikit_learns_numbers_with_holes(holed: np.ndarray) -> None:
    from sklearn.mixture import GaussianMixture as Reference

    start = holed[present(holed)][:K]
    settings = {"means_init": start, "max_iter": 5, "tol": 0.0, "random_state": 0}
    chunked = da.from_array(holed, chunks=(113, D))
    found = GaussianMixture(K, acceleration=None, missing="drop", **settings).fit(chunked)
    expected = Reference(K, **settings).fit(holed[present(holed)])
    np.testing.assert_allclose(found.means_, expected.means_, rtol=1e-8)
    np.testing.assert_allclose(found.covariances_, expected.covariances_, rtol=1e-8)
