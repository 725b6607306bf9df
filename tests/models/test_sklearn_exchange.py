"""To scikit-learn and back: the same posteriors, labels and densities."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.mixture import BayesianGaussianMixture
from sklearn.mixture import GaussianMixture as Reference
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from daskgmm import GaussianMixture
from daskgmm.errors import ExchangeWarning
from daskgmm.gaussian.coordinates import coordinates_of
from daskgmm.names import COVARIANCES
from tests.cli.data import clusters
from tests.oracle.data import STRUCTURES

ATTRIBUTES = (
    "weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_", "converged_",
    "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_",
)  # fmt: skip


@pytest.fixture(params=STRUCTURES)
def structure(request):
    return request.param


@pytest.fixture
def x():
    return clusters(900, 4)


def fitted(structure, x, **settings):
    settings = {"init_params": "k-means++", "random_state": 0, "max_iter": 1000, **settings}
    return GaussianMixture(3, covariance_type=structure, **settings).fit(x)


def same_predictions(one, other, x, tolerance=1e-12):
    np.testing.assert_array_equal(one.predict(x), other.predict(x))
    np.testing.assert_allclose(one.predict_proba(x), other.predict_proba(x), rtol=0, atol=tolerance)
    np.testing.assert_allclose(one.score_samples(x), other.score_samples(x), rtol=1e-10)


def test_to_sklearn(structure, x):
    mixture = fitted(structure, x)
    reference = mixture.to_sklearn()
    assert type(reference) is Reference
    same_predictions(mixture, reference, clusters(3000, 4, seed=1))
    for name in ATTRIBUTES:
        np.testing.assert_array_equal(getattr(reference, name), getattr(mixture, name))
    assert reference.get_params().items() <= mixture.get_params().items()
    assert vars(reference).keys() == vars(Reference(3).fit(x)).keys()
    assert reference.bic(x) == pytest.approx(mixture.bic(x), rel=1e-12)
    assert reference.sample(10)[0].shape == (10, 4)


@pytest.mark.parametrize("structure", [name for name in COVARIANCES if name not in STRUCTURES])
def test_structures_that_scikit_learn_lacks_predict_the_same(structure, x):
    mixture = fitted(structure, x)
    with pytest.warns(ExchangeWarning, match=f"no covariance_type='{structure}'"):
        reference = mixture.to_sklearn()
    assert reference.covariance_type in ("full", "tied")
    same_predictions(mixture, reference, clusters(3000, 4, seed=1))


def test_far_rows(structure, x):
    """Where every density underflows."""
    mixture = fitted(structure, x, init_params="kmeans")
    far = x[:100] * 1000
    assert mixture.score_samples(far).max() < -1000
    same_predictions(mixture, mixture.to_sklearn(), far, 1e-9)


def test_nothing_is_shared(x):
    mixture = fitted("full", x)
    reference = mixture.to_sklearn()
    mixture.means_ += 1
    mixture.lower_bounds_.clear()
    assert not np.array_equal(reference.means_, mixture.means_)
    assert reference.lower_bounds_
    again = GaussianMixture.from_sklearn(reference)
    reference.means_ += 1
    assert not np.array_equal(reference.means_, again.means_)


def test_it_can_go_on_from_there(x):
    reference = fitted("full", x, warm_start=True, max_iter=30).to_sklearn()
    assert reference.fit(x).converged_
    assert GaussianMixture.from_sklearn(reference).fit(x).converged_


def test_names_of_features(x):
    mixture = fitted("diag", x)
    mixture.feature_names_in_ = np.array(["a", "b", "c", "d"], dtype=object)
    reference = mixture.to_sklearn()
    assert reference.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert GaussianMixture.from_sklearn(reference).feature_names_in_.tolist() == list("abcd")


@pytest.mark.slow
@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize("pca", [None, 2, 4])
def test_coordinates_become_a_pipeline(structure, x, standardise, pca):
    x = x * [1.0, 10.0, 100.0, 0.1] + [0.0, 50.0, -2000.0, 3.0]
    mean, covariance = x.mean(0), np.cov(x.T, bias=True)
    coordinates = coordinates_of(mean, covariance, standardise=standardise, pca=pca)
    z = coordinates.apply(x)
    inner, mixture = fitted(structure, z), fitted(structure, z)
    mixture.coordinates_, mixture.n_features_in_ = coordinates, 4
    mixture.feature_names_in_ = np.array(["a", "b", "c", "d"], dtype=object)
    pipeline = mixture.to_sklearn()
    assert isinstance(pipeline, Pipeline)
    kinds = [StandardScaler, *([] if pca is None else [PCA]), Reference]
    assert [type(step) for _, step in pipeline.steps] == kinds
    assert pipeline.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert pipeline.n_features_in_ == 4
    del pipeline[0].feature_names_in_  # without which X has to be a table
    np.testing.assert_allclose(pipeline[:-1].transform(x), z, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        pipeline.predict_proba(x), inner.predict_proba(z), rtol=0, atol=1e-12
    )
    np.testing.assert_array_equal(pipeline.predict(x), inner.predict(z))
    np.testing.assert_allclose(pipeline.score_samples(x), inner.score_samples(z), rtol=1e-9)


@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize("pca", [None, 2, 4, 0.9])
def test_coordinates_there_and_back(structure, x, standardise, pca, tmp_path):
    if not standardise and pca is None:
        return
    x = x * [1.0, 10.0, 100.0, 0.1] + [0.0, 50.0, -2000.0, 3.0]
    mixture = fitted(structure, x, standardise=standardise, pca=pca)
    mixture.feature_names_in_ = np.array(["a", "b", "c", "d"], dtype=object)
    back = GaussianMixture.from_sklearn(mixture.to_sklearn())
    axes = None if pca is None else mixture.coordinates_.n_features
    assert (back.standardise, back.pca, back.n_features_in_) == (standardise, axes, 4)
    assert back.feature_names_in_.tolist() == list("abcd")
    del mixture.feature_names_in_, back.feature_names_in_  # without which X has to be a table
    for name in ("origin", "scales", "axes", "explained", "variances"):
        expected = getattr(mixture.coordinates_, name)
        found = getattr(back.coordinates_, name)
        assert (found is None) == (expected is None)
        if expected is not None:
            np.testing.assert_allclose(found, expected, rtol=1e-14)
    same_predictions(mixture, back, x, 1e-10)
    np.testing.assert_allclose(back.means_in_data_units(), mixture.means_in_data_units())
    back.save(tmp_path / "m.json")
    np.testing.assert_array_equal(
        GaussianMixture.load(tmp_path / "m.json").predict(x), back.predict(x)
    )


@pytest.mark.parametrize("scaler", [[], [StandardScaler()], [StandardScaler(with_mean=False)]])
@pytest.mark.parametrize("pca", [[], [PCA(2)], [PCA(4)]])
def test_pipelines_that_scikit_learn_fitted(x, scaler, pca):
    if not scaler and not pca:
        return
    x = x * [1.0, 10.0, 100.0, 0.1] + [0.0, 50.0, -2000.0, 3.0]
    pipeline = make_pipeline(*scaler, *pca, Reference(3, random_state=0)).fit(x)
    mixture = GaussianMixture.from_sklearn(pipeline)
    same_predictions(mixture, pipeline, x, 1e-10)
    assert mixture.bic(x) == pytest.approx(pipeline[-1].bic(pipeline[:-1].transform(x)), rel=1e-10)
    same_predictions(mixture.to_sklearn(), pipeline, x, 1e-10)
    assert GaussianMixture(**mixture.get_params()).fit(x).converged_


def test_columns_that_are_constant_there_and_back():
    x = np.repeat([[3.0, 5.0]], 50, axis=0)
    mixture = GaussianMixture(1, standardise=True, random_state=0).fit(x)
    back = GaussianMixture.from_sklearn(mixture.to_sklearn())
    assert back.standardise
    same_predictions(mixture, back, x - 1.0)


def test_means_to_start_from_are_in_the_coordinates_of_each(x):
    means = x[:3] * 10.0
    mixture = fitted("full", x, standardise=True, means_init=means)
    pipeline = mixture.to_sklearn()
    np.testing.assert_allclose(pipeline[-1].means_init, mixture.coordinates_.apply(means))
    np.testing.assert_allclose(GaussianMixture.from_sklearn(pipeline).means_init, means)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([MinMaxScaler()], "are MinMaxScaler"),
        ([PCA(), StandardScaler()], "are PCA, StandardScaler"),
        ([StandardScaler(), StandardScaler()], "are StandardScaler, StandardScaler"),
        ([], "are none"),
        (["passthrough"], "are str"),
        ([PCA(whiten=True)], "whiten=True"),
        ([StandardScaler(with_std=False)], "with_std=False"),
    ],
)
def test_other_pipelines_are_refused(x, steps, words):
    pipeline = make_pipeline(*steps, Reference(3, random_state=0)).fit(x)
    with pytest.raises(TypeError, match=rf"{words}.*Of others give the last step alone"):
        GaussianMixture.from_sklearn(pipeline)


def test_pipelines_that_are_not_fitted_are_refused(x):
    reference = Reference(3, random_state=0).fit(x)
    for steps in ([StandardScaler(), reference], [StandardScaler().fit(x), Reference(3)]):
        with pytest.raises(NotFittedError):
            GaussianMixture.from_sklearn(make_pipeline(*steps))
    with pytest.raises(TypeError, match=r"ends in one, not sklearn\.\S*PCA"):
        GaussianMixture.from_sklearn(make_pipeline(StandardScaler(), PCA()).fit(x))


PIPELINE = {
    0: ("mean_", "scale_", "var_", "n_features_in_", "n_samples_seen_"),
    1: (
        "explained_variance_", "explained_variance_ratio_", "singular_values_", "noise_variance_",
        "n_components_", "n_samples_", "n_features_in_",
    ),
}  # fmt: skip


@pytest.mark.parametrize("pca", [2, 4])
@pytest.mark.parametrize("loaded", [False, True])
def test_the_pipeline_is_that_of_scikit_learn(pca, loaded, x, tmp_path):
    """The same attributes as of a fitted one, from a file too."""
    x[:, 3] = 7.0 if pca == 2 else x[:, 3]
    mixture = GaussianMixture(3, standardise=True, pca=pca, random_state=0).fit(x)
    if loaded:
        mixture.save(tmp_path / "m.json")
        mixture = GaussianMixture.load(tmp_path / "m.json")
    steps = mixture.to_sklearn()[:-1]
    expected = make_pipeline(StandardScaler(), PCA(pca)).fit(x)
    for index, names in PIPELINE.items():
        assert vars(steps[index]).keys() == vars(expected[index]).keys()
        for name in names:
            np.testing.assert_allclose(
                getattr(steps[index], name), getattr(expected[index], name), rtol=1e-9, atol=1e-12
            )
    np.testing.assert_allclose(abs(steps[1].components_), abs(expected[1].components_), atol=1e-9)
    np.testing.assert_allclose(
        steps[1].get_covariance(), expected[1].get_covariance(), rtol=1e-9, atol=1e-9
    )
    assert steps[1].get_feature_names_out().tolist() == [f"pca{i}" for i in range(pca)]


def test_files_of_coordinates_without_variances(x, tmp_path):
    mixture = GaussianMixture(3, pca=2, random_state=0).fit(x)
    mixture.coordinates_ = replace(mixture.coordinates_, variances=None)
    mixture.save(tmp_path / "m.json")
    assert '"variances"' not in (tmp_path / "m.json").read_text()
    loaded = GaussianMixture.load(tmp_path / "m.json")
    assert loaded.coordinates_.variances is None
    np.testing.assert_array_equal(loaded.to_sklearn().predict(x), mixture.predict(x))


def test_from_sklearn(structure, x):
    reference = Reference(3, covariance_type=structure, random_state=0, tol=1e-4).fit(x)
    mixture = GaussianMixture.from_sklearn(reference)
    same_predictions(mixture, reference, clusters(3000, 4, seed=1))
    for name in ATTRIBUTES:
        np.testing.assert_allclose(
            getattr(mixture, name), getattr(reference, name), rtol=1e-12, atol=1e-14
        )
    assert reference.get_params().items() <= mixture.get_params().items()
    assert mixture.bic(x) == pytest.approx(reference.bic(x), rel=1e-12)


def test_there_and_back(structure, x, tmp_path):
    mixture = fitted(structure, x)
    back = GaussianMixture.from_sklearn(mixture.to_sklearn())
    for name in ATTRIBUTES:
        np.testing.assert_array_equal(getattr(back, name), getattr(mixture, name))
    back.save(tmp_path / "m.json")
    loaded = GaussianMixture.load(tmp_path / "m.json")
    assert loaded.predict_proba(x).tobytes() == mixture.predict_proba(x).tobytes()


def test_from_sklearn_set_up_by_hand(x):
    """What people set to predict without a fit: no covariances."""
    source = fitted("full", x)
    reference = Reference(3)
    for name in ("weights_", "means_", "precisions_cholesky_"):
        setattr(reference, name, getattr(source, name))
    mixture = GaussianMixture.from_sklearn(reference)
    np.testing.assert_allclose(mixture.covariances_, source.covariances_, rtol=1e-10, atol=1e-12)
    assert mixture.predict_proba(x).tobytes() == source.predict_proba(x).tobytes()
    assert not mixture.converged_


def test_single_precision(x):
    reference = Reference(3, random_state=0).fit(x.astype(np.float32))
    mixture = GaussianMixture.from_sklearn(reference)
    assert mixture.means_.dtype == np.float64
    np.testing.assert_allclose(mixture.predict_proba(x), reference.predict_proba(x), atol=1e-5)


def test_what_is_refused(x):
    with pytest.raises(NotFittedError):
        GaussianMixture.from_sklearn(Reference(3))
    with pytest.raises(NotFittedError):
        GaussianMixture(3).to_sklearn()
    with pytest.raises(TypeError, match=r"averaged over the uncertainty.*fit a GaussianMixture"):
        GaussianMixture.from_sklearn(
            BayesianGaussianMixture(n_components=2, max_iter=500, tol=0.1).fit(x)
        )
    with pytest.raises(TypeError, match=r"not sklearn\.\S*StandardScaler"):
        GaussianMixture.from_sklearn(StandardScaler().fit(x))
    with pytest.raises(TypeError, match=r"not numpy\.ndarray"):
        GaussianMixture.from_sklearn(x)


def test_bayesian_densities_are_of_another_form(x):
    """Why it is refused: its own posteriors are not those of its Gaussians."""
    bayesian = BayesianGaussianMixture(n_components=3, random_state=0, max_iter=500).fit(x[:40])
    plain = Reference(3)
    for name in ("weights_", "means_", "precisions_cholesky_"):
        setattr(plain, name, getattr(bayesian, name))
    assert np.abs(bayesian.score_samples(x) - plain.score_samples(x)).max() > 0.1
