"""The Bayesian estimator: what every estimator does, its file, the command line, bad priors."""

import copy
import json
import warnings

import dask
import dask.array as da
import numpy as np
import pytest
import sklearn.mixture
import zarr
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError

from daskgmm import BayesianGaussianMixture, GaussianMixture, load_model
from daskgmm.cli import main
from daskgmm.errors import CheckpointError, ModelFileError, WeightsWarning
from daskgmm.testing import EstimatorTests
from tests.oracle.data import STRUCTURES, blobs

TYPES = ("dirichlet_process", "dirichlet_distribution")

POSTERIOR = (
    "weight_concentration_prior_", "mean_precision_prior_", "mean_precision_", "mean_prior_",
    "degrees_of_freedom_prior_", "degrees_of_freedom_", "covariance_prior_", "precisions_",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
class TestBayesianGaussianMixture(EstimatorTests):
    estimator = BayesianGaussianMixture

    def make(self, **settings):
        cheap = {"init_params": "k-means++", "n_init": 1}
        return super().make(**{"n_components": 4, **cheap, **settings})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
class TestDirichletDistribution(EstimatorTests):
    estimator = BayesianGaussianMixture

    def make(self, **settings):
        own = {"n_components": 3, "covariance_type": "tied", "standardise": True}
        own |= {"init_params": "k-means++", "n_init": 1}
        own["weight_concentration_prior_type"] = "dirichlet_distribution"
        return super().make(**{**own, **settings})


@pytest.fixture
def x():
    return blobs(400, 3, 3, seed=1)


def fitted(x, **settings):
    return BayesianGaussianMixture(**{"n_components": 5, "random_state": 0, **settings}).fit(x)


@pytest.mark.slow
def test_components_that_the_rows_do_not_need_have_none():
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(size=(300, 2)) + center for center in (0, 9, -12)])
    for prior_type in TYPES:
        mixture = fitted(x, n_components=8, weight_concentration_prior_type=prior_type)
        assert (mixture.weights_ > 0.02).sum() == 3 == mixture.n_used_components_
        assert set(mixture.predict(x)) == set(np.flatnonzero(mixture.weights_ > 0.02))


DIGITS = load_digits().data[:, [10, 20, 26, 28, 36, 42, 43, 50]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "seed", "prior_type"),
    [
        pytest.param(load_iris().data, 0, TYPES[0], id="iris"),
        pytest.param(blobs(400, 2, 5, seed=2, separation=1.0), 1, TYPES[1], id="overlapping"),
        pytest.param(DIGITS, 8, TYPES[0], id="counts, with ties"),
        pytest.param(DIGITS[::2], 8, TYPES[1], id="half of the counts"),
    ],
)
def test_the_bound_is_no_lower_than_scikit_learns(rows, seed, prior_type):
    """Of the same rows and settings, as a plain step from its end tells."""
    settings = {
        "n_components": 8, "random_state": seed, "max_iter": 1000,
        "weight_concentration_prior_type": prior_type,
    }  # fmt: skip
    theirs = sklearn.mixture.BayesianGaussianMixture(**settings).fit(rows)
    there = BayesianGaussianMixture.from_sklearn(theirs)
    there.set_params(warm_start=True, acceleration=None, tol=1e9)
    ours = BayesianGaussianMixture(**settings).fit(rows)
    # Ours has noise of variance reg_covar in it.
    assert ours.lower_bound_ >= there.fit(rows).lower_bound_ - 3e-4


@pytest.mark.parametrize("prior_type", TYPES)
@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_a_file_holds_the_posterior(covariance_type, prior_type, x, tmp_path):
    mixture = fitted(
        x, covariance_type=covariance_type, weight_concentration_prior_type=prior_type,
        mean_prior=[1.0, 2.0, 3.0], weight_concentration_prior=0.1, init_params="k-means++",
        max_iter=1000,
    )  # fmt: skip
    mixture.save(tmp_path / "m.json")
    again = load_model(tmp_path / "m.json")
    assert type(again) is BayesianGaussianMixture
    for name in POSTERIOR:
        assert_array_equal(getattr(again, name), getattr(mixture, name))
        assert np.shape(getattr(again, name)) == np.shape(getattr(mixture, name))
    assert_array_equal(again.weight_concentration_, mixture.weight_concentration_)
    assert isinstance(again.weight_concentration_, tuple) == (prior_type == TYPES[0])
    assert_array_equal(again.score_samples(x), mixture.score_samples(x))
    assert again.lower_bound_ == mixture.lower_bound_
    again.save(tmp_path / "again.json")
    one, other = (json.loads((tmp_path / name).read_text()) for name in ("m.json", "again.json"))
    assert one["posterior"] == other["posterior"]
    again.set_params(warm_start=True, acceleration=None)
    assert again.fit(x).lower_bound_ >= mixture.lower_bound_ - 1e-6


def test_files_of_mixtures_have_no_posterior(x, tmp_path):
    GaussianMixture(2, random_state=0).fit(x).save(tmp_path / "m.json")
    assert "posterior" not in json.loads((tmp_path / "m.json").read_text())
    with pytest.raises(ModelFileError, match="holds a GaussianMixture, not a Bayesian"):
        BayesianGaussianMixture.load(tmp_path / "m.json")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Content of the file of a mixture of three components."""
    path = tmp_path_factory.mktemp("saved") / "m.json"
    fitted(blobs(400, 3, 3, seed=1), n_components=3).save(path)
    return path.read_text()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean_precision", [1.0, 2.0]),
        ("mean_precision", [1.0, 1.0, 0.0]),
        ("weight_concentration", [[1.0, 1.0, -1.0], [1.0, 1.0, 1.0]]),
        ("weight_concentration", [[1.0, 1.0, 1.0]]),
        ("degrees_of_freedom", [3.0, 3.0, 2.0]),
        ("covariance_prior", [[1.0]]),
        ("mean_prior", None),
    ],
)
def test_a_damaged_posterior_is_found(name, value, saved, tmp_path):
    document = json.loads(saved)
    document["posterior"][name] = value
    (tmp_path / "m.json").write_text(json.dumps(document))
    with pytest.raises(ModelFileError):
        load_model(tmp_path / "m.json")


def test_the_command_line_describes_it_and_predicts(x, tmp_path, capsys):
    mixture = fitted(x, missing="drop")
    mixture.save(tmp_path / "m.json")
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(100, 3))
    paths = [str(tmp_path / name) for name in ("m.json", "x.zarr", "out.zarr")]
    outputs = ["--outputs", "label,posterior,log_density", "--dtype", "float64"]
    main(["predict", *paths[:2], "--out", paths[2], *outputs, "-q"], standalone_mode=False)
    written = zarr.open_group(paths[2])
    assert_array_equal(written["label"][:], mixture.predict(x))
    assert_allclose(written["posterior"][:], mixture.predict_proba(x), atol=1e-15)
    assert_allclose(written["log_density"][:], mixture.score_samples(x), rtol=1e-12)
    main(["info", paths[0]], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "variational bound" in shown
    assert "dirichlet_process" in shown
    assert "BIC" not in shown
    assert "free parameters" not in shown


@pytest.mark.slow
def test_predictions_are_written_as_they_are_in_memory(x, tmp_path):
    mixture = fitted(x, covariance_type="tied", pca=2)
    mixture.predict_to_zarr(da.from_array(x, chunks=(90, 3)), tmp_path / "out.zarr", ["posterior"])
    written = zarr.open_group(tmp_path / "out.zarr")["posterior"][:]
    assert_allclose(written, mixture.predict_proba(x), atol=1e-6)


def test_it_has_no_criteria(x):
    mixture = fitted(x)
    for name in ("bic", "aic", "icl", "criteria_"):
        assert not hasattr(mixture, name)
        with pytest.raises(AttributeError, match=f"has no {name}: criteria are those of maximum"):
            getattr(mixture, name)
    assert "BayesianGaussianMixture" in mixture._repr_html_()


def test_components_are_sorted_with_their_posterior(x):
    mixture = fitted(x, weight_concentration_prior_type="dirichlet_distribution", warm_start=True)
    before, densities = copy.deepcopy(mixture), mixture.score_samples(x)
    order = np.argsort(-mixture.weights_, kind="stable")
    mixture.sort_components()
    assert (np.diff(mixture.weights_) <= 0).all()
    for name in ("weight_concentration_", "mean_precision_", "degrees_of_freedom_", "means_"):
        assert_array_equal(getattr(mixture, name), getattr(before, name)[order])
    assert_allclose(mixture.score_samples(x), densities, rtol=1e-12)
    assert_allclose(mixture.fit(x).lower_bound_, before.fit(x).lower_bound_, rtol=1e-9)


def test_a_process_has_an_order(x):
    mixture = fitted(x)
    before = mixture.predict_proba(x)
    with pytest.raises(ValueError, match="Dirichlet process have an order"):
        mixture.sort_components()
    assert_array_equal(mixture.predict_proba(x), before)


class Unreadable:
    """Rows that may be asked for their shape alone."""

    shape, dtype, ndim, chunks = (40, 2), np.dtype(float), 2, (10, 2)

    def __len__(self):
        return 40

    def __getitem__(self, key):
        raise AssertionError("a row was read")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"degrees_of_freedom_prior": 1.0}, r"should be greater than 1, but got 1\.000"),
        ({"mean_prior": [1.0, 2.0, 3.0]}, r"'mean_prior' should have the shape of \(2,\)"),
        ({"mean_prior": [1.0, np.nan]}, "NaN"),
        ({"covariance_prior": [[1.0, 0.0]]}, r"full covariance_prior.*shape of \(2, 2\)"),
        ({"covariance_prior": [[1.0, 2.0], [2.0, 1.0]]}, "'full covariance_prior' should be"),
        ({"covariance_prior": [1.0, 0.0], "covariance_type": "diag"}, "diag covariance_prior"),
        ({"covariance_prior": [1.0], "covariance_type": "spherical"}, "spherical covariance_prior"),
        ({"covariance_prior": -1.0, "covariance_type": "spherical"}, "covariance_prior"),
        ({"mean_prior": [0.0, 0.0], "standardise": True}, "mean_prior cannot be given with stand"),
        ({"covariance_prior": np.eye(2), "pca": 1}, "covariance_prior cannot be given with"),
        ({"weight_concentration_prior": 0.0}, "'weight_concentration_prior' parameter of Bayes"),
        ({"weight_concentration_prior_type": "dirichlet"}, "weight_concentration_prior_type"),
        ({"covariance_type": "low rank"}, "'covariance_type' parameter of BayesianGaussianMixture"),
    ],
)
def test_priors_of_no_density_are_refused_before_a_row_is_read(settings, message):
    rows = da.from_array(Unreadable(), chunks=(10, 2), meta=np.empty((0, 0)))
    with pytest.raises(ValueError, match=message):
        BayesianGaussianMixture(2, **settings).fit(rows)


def test_settings_of_point_estimates_are_refused(x):
    mixture = BayesianGaussianMixture(2)
    mixture.prior = "conjugate"
    with pytest.raises(ValueError, match="'prior' parameter of BayesianGaussianMixture"):
        mixture.fit(x)


def test_degrees_of_freedom_are_checked_against_the_axes_that_are_kept(x):
    fitted(x, pca=0.99, degrees_of_freedom_prior=2.5)
    with pytest.raises(ValueError, match="should be greater than 2"):
        fitted(x, pca=0.9999999, degrees_of_freedom_prior=1.5)


@pytest.mark.slow
def test_columns_that_are_constant_or_sums_leave_a_posterior(x):
    spoilt = np.column_stack([x, x[:, 0] + x[:, 1], np.full(len(x), 0.1)])
    for covariance_type in STRUCTURES:
        mixture = fitted(spoilt, covariance_type=covariance_type)
        assert np.isfinite(mixture.lower_bound_)
        assert np.isfinite(mixture.score_samples(spoilt)).all()


def test_weights_that_may_be_counts_are_asked_about(x):
    weights = np.arange(len(x)) % 3
    with pytest.warns(WeightsWarning, match="weights_are='counts'") as warned:
        BayesianGaussianMixture(2, random_state=0).fit(x, sample_weight=weights)
    assert "the prior is weighed against n = " in str(warned[0].message)
    assert "BIC" not in str(warned[0].message)
    with pytest.warns(WeightsWarning, match="AIC, BIC and ICL count, and the prior is weighed"):
        GaussianMixture(2, random_state=0, prior="conjugate").fit(x, sample_weight=weights)


def test_used_components_are_of_a_fit():
    assert not hasattr(BayesianGaussianMixture(2), "n_used_components_")
    with pytest.raises(NotFittedError):
        _ = BayesianGaussianMixture(2).n_used_components_


def test_used_components_are_those_of_a_number_of_rows(x):
    """Relative weights stand for as many rows as are effective, counts for their sum."""
    mixture = BayesianGaussianMixture(1, random_state=0)
    few = np.eye(3)[:2] * 1.0
    assert mixture.fit(few).n_used_components_ == 1
    light = mixture.fit(few, sample_weight=np.full(2, 0.25), weights_are="relative")
    assert light.n_used_components_ == 1
    with pytest.warns(WeightsWarning):
        assert mixture.fit(few, sample_weight=np.full(2, 0.25), weights_are="counts")
    assert mixture.n_used_components_ == 0


def test_a_checkpoint_of_another_prior_is_refused(x, tmp_path):
    path = tmp_path / "fit.ckpt"
    settings = {"n_components": 3, "random_state": 0}
    BayesianGaussianMixture(**settings).fit(x, checkpoint=path)
    with pytest.raises(CheckpointError, match=r"mean_precision_prior was not given and is 2\.0"):
        BayesianGaussianMixture(**settings, mean_precision_prior=2).fit(x, checkpoint=path)
    with pytest.raises(CheckpointError, match="of another fit"):
        GaussianMixture(**settings).fit(x, checkpoint=path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("covariance_type", "prior_type"), list(zip(STRUCTURES, TYPES * 2, strict=True))
)
def test_the_same_bits_on_one_thread_and_on_two(covariance_type, prior_type):
    x = da.from_array(blobs(4000, 3, 3, seed=1), chunks=(500, 3))
    settings = {
        "covariance_type": covariance_type, "weight_concentration_prior_type": prior_type,
        "max_iter": 4,
    }  # fmt: skip
    found = []
    for threads in (1, 2):
        with dask.config.set(num_workers=threads):
            found.append(fitted(x, **settings))
    for name in (*POSTERIOR, "weight_concentration_", "means_", "lower_bounds_"):
        assert_array_equal(getattr(found[0], name), getattr(found[1], name))


@pytest.mark.slow
@pytest.mark.parametrize("prior_type", TYPES)
@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_scikit_learn_gets_the_posterior_and_gives_it_back(covariance_type, prior_type, x):
    settings = {"covariance_type": covariance_type, "init_params": "k-means++", "max_iter": 1000}
    own = fitted(x, weight_concentration_prior_type=prior_type, **settings)
    theirs = own.to_sklearn()
    assert isinstance(theirs, sklearn.mixture.BayesianGaussianMixture)
    assert_allclose(theirs.predict_proba(x), own.predict_proba(x), atol=1e-10)
    assert_allclose(theirs.score_samples(x), own.score_samples(x), rtol=1e-10)
    back = BayesianGaussianMixture.from_sklearn(theirs)
    assert_array_equal(back.predict_proba(x), own.predict_proba(x))
    assert_array_equal(back.weight_concentration_, own.weight_concentration_)
    with pytest.raises(TypeError, match=r"Use daskgmm\.BayesianGaussianMixture\.from_sklearn"):
        GaussianMixture.from_sklearn(theirs)
    with pytest.raises(TypeError, match="takes a fitted sklearn"):
        BayesianGaussianMixture.from_sklearn(sklearn.mixture.GaussianMixture(2).fit(x))
    with pytest.raises(NotFittedError):
        BayesianGaussianMixture.from_sklearn(sklearn.mixture.BayesianGaussianMixture())
    mapped = fitted(x, standardise=True, **settings)
    assert_allclose(mapped.to_sklearn().predict_proba(x), mapped.predict_proba(x), atol=1e-9)


@pytest.mark.parametrize("unit", [1.0, 1e3, 1e6, 1e9])
def test_columns_that_are_sums_of_others_have_a_prior_in_any_unit(unit):
    x = unit * np.random.default_rng(0).normal(size=(50, 3))
    x[:, 2] = 1e-5 * x[:, 0] + 3.0 * x[:, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture = BayesianGaussianMixture(n_components=2, random_state=0).fit(x)
    assert np.isfinite(mixture.lower_bounds_).all()
    assert (np.diff(mixture.lower_bounds_) > -1e-6).all()
