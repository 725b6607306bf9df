"""Standardised columns and principal axes, as part of the model."""

from __future__ import annotations

import warnings
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Reference
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from daskgmm import GaussianMixture, sweep
from daskgmm.errors import DataError
from daskgmm.gaussian.coordinates import coordinates_of

UNITS = np.array([1.0, 1e-3, 1e4, 10.0, 1.0])
OFFSETS = np.array([0.0, 5.0, -1e7, 3.0, 0.0])


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    random = np.random.default_rng(0)
    clusters = [random.normal(size=(300, 3)) + mean for mean in ([0, 0, 0], [7, 0, 2], [0, 8, 4])]
    low = random.permutation(np.concatenate(clusters))
    mixing = random.normal(size=(3, 5))
    return (low @ mixing + 0.1 * random.normal(size=(900, 5))) * UNITS + OFFSETS


def reference(standardise: bool, pca: int | float | None) -> list[object]:
    steps: list[object] = [StandardScaler()] if standardise else []
    return steps + ([] if pca is None else [PCA(pca, svd_solver="full")])


@pytest.mark.parametrize(
    ("standardise", "pca"), [(True, None), (True, 3), (True, 0.9), (False, 2), (True, 5)]
)
@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
def test_a_pipeline_of_scikit_learns(
    rows: np.ndarray, standardise: bool, pca: int | float | None, structure: str
) -> None:
    settings = {"covariance_type": structure, "random_state": 0, "max_iter": 3, "tol": 0.0}
    mixture = GaussianMixture(
        3, acceleration=None, standardise=standardise, pca=pca, init_params="kmeans", **settings
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(da.from_array(rows, chunks=(123, 5)))
        pipeline = make_pipeline(*reference(standardise, pca), Reference(3, **settings)).fit(rows)
    np.testing.assert_allclose(mixture.weights_, pipeline[-1].weights_, rtol=1e-8)
    assert mixture.score(rows) == pytest.approx(pipeline.score(rows), rel=1e-8)
    np.testing.assert_allclose(mixture.predict_proba(rows), pipeline.predict_proba(rows), atol=1e-8)
    means = pipeline[:-1].inverse_transform(pipeline[-1].means_)
    np.testing.assert_allclose(
        (mixture.means_in_data_units() - OFFSETS) / UNITS, (means - OFFSETS) / UNITS, atol=1e-7
    )


def test_variances_in_data_units(rows: np.ndarray) -> None:
    plain = GaussianMixture(1, reg_covar=0.0).fit(rows)
    scaled = GaussianMixture(1, reg_covar=0.0, standardise=True, pca=5).fit(rows)
    units = np.outer(UNITS, UNITS)
    np.testing.assert_allclose(
        scaled.covariances_in_data_units()[0] / units, plain.covariances_[0] / units, rtol=1e-9,
        atol=1e-9,
    )  # fmt: skip
    np.testing.assert_array_equal(plain.covariances_in_data_units(), plain.covariances_)
    np.testing.assert_array_equal(plain.means_in_data_units(), plain.means_)
    for structure, shape in {"tied": (2, 5, 5), "diag": (2, 5, 5), "spherical": (2, 5, 5)}.items():
        mixture = GaussianMixture(2, covariance_type=structure, standardise=True).fit(rows)
        assert mixture.covariances_in_data_units().shape == shape


def test_facts(rows: np.ndarray) -> None:
    mixture = GaussianMixture(3, standardise=True, pca=0.9, random_state=0).fit(rows)
    reference = PCA(0.9, svd_solver="full").fit(StandardScaler().fit_transform(rows))
    coordinates = mixture.coordinates_
    assert mixture.n_features_in_ == 5
    assert mixture.means_.shape[1] == reference.n_components_ == coordinates.n_features
    np.testing.assert_allclose(coordinates.explained, reference.explained_variance_ratio_)
    np.testing.assert_allclose(np.abs(coordinates.axes.T), np.abs(reference.components_), atol=1e-9)
    drawn, _ = mixture.sample(1000)
    assert drawn.shape == (1000, 5)
    assert np.isfinite(mixture.bic(rows))
    with pytest.raises(ValueError, match="X has 2 features, but GaussianMixture is expecting 5"):
        mixture.predict(rows[:, :2])


def test_constant_columns_are_centred_only() -> None:
    random = np.random.default_rng(0)
    x = np.column_stack([random.normal(size=200), np.full(200, 0.1)])
    mixture = GaussianMixture(1, standardise=True).fit(x)
    assert mixture.coordinates_.scales[1] == 1.0
    assert mixture.coordinates_.scales[0] == pytest.approx(x[:, 0].std())


@pytest.mark.slow
def test_a_checkpoint_keeps_the_coordinates(rows: np.ndarray, tmp_path: Path) -> None:
    chunked = da.from_array(rows, chunks=(100, 5))
    settings = {"standardise": True, "pca": 3, "random_state": 0, "tol": 0.0}
    path = tmp_path / "fit.ckpt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        GaussianMixture(3, max_iter=2, **settings).fit(chunked, checkpoint=path)
        resumed = GaussianMixture(3, max_iter=6, **settings).fit(chunked, checkpoint=path)
        whole = GaussianMixture(3, max_iter=6, **settings).fit(chunked)
    np.testing.assert_array_equal(resumed.means_, whole.means_)
    np.testing.assert_array_equal(resumed.coordinates_.axes, whole.coordinates_.axes)
    assert resumed.fitted_on_ == whole.fitted_on_


def test_bad_requests(rows: np.ndarray) -> None:
    with pytest.raises(
        ValueError, match=r"pca=6 \(--pca\) asks for more axes than X has columns, 5"
    ):
        GaussianMixture(2, pca=6).fit(rows)
    with pytest.raises(ValueError, match="precisions_init cannot be given"):
        GaussianMixture(2, pca=0.5, precisions_init=np.zeros((2, 5, 5))).fit(rows)
    for bad in (0, 1.5, -1, "all"):
        with pytest.raises(ValueError, match="'pca' parameter"):
            GaussianMixture(2, pca=bad).fit(rows)


def test_a_bad_value_has_the_name_of_its_column(rows: np.ndarray) -> None:
    mixture = GaussianMixture(2, standardise=True, pca=2, random_state=0).fit(rows)
    bad = rows.copy()
    bad[7, 3] = np.nan
    with pytest.raises(DataError, match=r"NaN in row 7 \(batch 0\), column 3"):
        mixture.predict(bad)
    with pytest.raises(DataError, match=r"NaN in row 7 \(batch 0\), column 3"):
        GaussianMixture(2, pca=2).fit(bad)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")  # few sizes
def test_sweeps(rows: np.ndarray) -> None:
    found = sweep(rows, range(1, 6), random_state=0, standardise=True, pca=3)
    assert found.best().n_components == 3
    assert found.best().means_.shape == (3, 3)
    assert found.table["bic"][2] == pytest.approx(found.models[2].bic(rows), rel=1e-9)


@pytest.mark.filterwarnings("ignore::daskgmm.errors.ScaleWarning")
def test_few_axes_of_many_rows_start_on_a_sample(rows: np.ndarray) -> None:
    many = np.tile(rows, (40, 1)) + np.random.default_rng(1).normal(size=(36000, 5)) * UNITS * 0.01
    mixture = GaussianMixture(3, standardise=True, pca=3, random_state=0, sample_rows=3000)
    plain = GaussianMixture(3, random_state=0, sample_rows=3000)
    labels, expected = mixture.fit(many).predict(many), plain.fit(many).predict(many)
    pairs = np.unique(np.column_stack([labels, expected]), axis=0, return_counts=True)[1]
    assert np.sort(pairs)[-3:].sum() > 0.99 * len(many)


@pytest.mark.parametrize("pca", [None, 3, 0.95])
def test_means_to_start_from_are_points_of_the_data(
    rows: np.ndarray, pca: int | float | None
) -> None:
    start = rows[[0, 100, 400]]
    mixture = GaussianMixture(3, standardise=True, pca=pca, means_init=start, max_iter=0)
    np.testing.assert_allclose(mixture.fit(rows).means_, mixture.coordinates_.apply(start))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ScaleWarning")
def test_warm_starts_stay_in_their_coordinates(rows: np.ndarray) -> None:
    settings = {"random_state": 0, "warm_start": True, "max_iter": 2, "tol": 0.0}
    mixture = GaussianMixture(3, standardise=True, pca=3, **settings)
    other = rows[:600] + 0.5 * UNITS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        first = mixture.fit(rows).coordinates_
        before = mixture.means_in_data_units()
        mixture.set_params(max_iter=0).fit(other)
        assert mixture.coordinates_ is first
        np.testing.assert_allclose(mixture.means_in_data_units(), before)
        with pytest.raises(ValueError, match="standardise or pca were changed"):
            mixture.set_params(pca=None).fit(rows)
        plain = GaussianMixture(3, **settings).fit(rows)
        with pytest.raises(ValueError, match="standardise or pca were changed"):
            plain.set_params(standardise=True).fit(rows)


def test_undoing_is_the_inverse() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(500, 4)) @ random.normal(size=(4, 4))
    found = coordinates_of(x.mean(0), np.cov(x.T, bias=True), standardise=True, pca=4)
    np.testing.assert_allclose(found.undo(found.apply(x)), x, atol=1e-12)
    z = found.apply(x)
    scatter = (x - x.mean(0)).T @ (x - x.mean(0))
    np.testing.assert_allclose(found.apply_scatter(scatter), z.T @ z, atol=1e-9)
    np.testing.assert_allclose(found.undo_covariances(np.cov(z.T)), np.cov(x.T), atol=1e-12)
    half_range = np.abs(x - x.mean(0)).max(0)
    assert (np.abs(z).max(0) <= found.bound(half_range) * (1 + 1e-12)).all()
