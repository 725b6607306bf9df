"""A covariance structure of one's own is one class and one line in the table."""

import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from daskgmm import GaussianMixture, sweep
from daskgmm.cli import main
from daskgmm.errors import EntryError, ExchangeWarning, ModelFileError
from daskgmm.gaussian.covariance.algebra.axes import AlongAxes
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.algebra.statistic import Pooled, Squares
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.models.model_file import load_model
from daskgmm.testing import CovarianceTests


class SharedAxes(Structure):
    """One diagonal matrix for all components (EEI under a name of its own)."""

    name = "shared-axes"
    precision = AlongAxes()
    statistic = Pooled()
    shared = True


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for structure in (SharedAxes(), EqualVolumes()):
        monkeypatch.setitem(STRUCTURES, structure.name, structure)


class TestSharedAxes(CovarianceTests):
    structure = SharedAxes()


class EqualVolumes(Structure):
    """Diagonal matrices of one determinant (EVI under a name of its own)."""

    name = "equal-volumes"
    precision = AlongAxes()
    statistic = Squares()
    free = False

    def n_covariance_parameters(self, k, d):
        return 1 + k * (d - 1)

    def maximise(self, scatter, last):
        volumes = np.exp(np.log(scatter.covariances).mean(axis=1))
        return scatter.shares @ volumes * scatter.covariances / volumes[:, None]


class TestEqualVolumes(CovarianceTests):
    structure = EqualVolumes()


@pytest.mark.parametrize("seed", range(3))
def test_what_is_not_free_never_falls(x, seed):
    settings = {"random_state": seed, "reg_covar": 0.0, "tol": 1e-6}
    mixture = GaussianMixture(3, covariance_type="equal-volumes", **settings).fit(x)
    assert np.diff(mixture.lower_bounds_).min() >= -1e-10
    volumes = mixture.covariances_.prod(axis=1)
    assert_allclose(volumes, volumes[0])
    assert mixture.lower_bound_ <= mixture.score(x) + 1e-10


def test_a_file_of_a_structure_that_is_not_in_the_table_is_not_damaged(x, tmp_path, monkeypatch):
    GaussianMixture(2, covariance_type="shared-axes", random_state=0).fit(x).save(
        tmp_path / "m.json"
    )
    monkeypatch.delitem(STRUCTURES, "shared-axes")
    with pytest.raises(
        ModelFileError, match=r"cannot be read here.*'shared-axes' is not one of full, tied"
    ):
        load_model(tmp_path / "m.json")


def test_an_m_step_of_another_shape_is_named(x, monkeypatch):
    monkeypatch.setattr(SharedAxes, "maximise", lambda self, scatter, last: np.ones(3))
    with pytest.raises(EntryError, match=r"SharedAxes.maximise returned .* shape \(3,\)"):
        GaussianMixture(2, covariance_type="shared-axes").fit(x)
    monkeypatch.setattr(SharedAxes, "maximise", lambda self, scatter, last: None)
    with pytest.raises(EntryError, match=r"SharedAxes.maximise returned None"):
        GaussianMixture(2, covariance_type="shared-axes").fit(x)


@pytest.fixture
def x():
    random = np.random.default_rng(0)
    means = np.array([[0.0, 0.0, 0.0], [6.0, 0.0, 2.0], [0.0, 7.0, -2.0]])
    return means[random.integers(3, size=3000)] + random.normal(size=(3000, 3)) * [1.0, 0.5, 2.0]


def test_it_is_fitted_and_predicts(x):
    mixture = GaussianMixture(3, covariance_type="shared-axes", random_state=0, tol=1e-6).fit(x)
    assert mixture.covariances_.shape == (3,)
    assert_allclose(mixture.covariances_, [1.0, 0.25, 4.0], rtol=0.1)
    # The M-step by its definition: variances within components, all together.
    gamma = mixture.predict_proba(x)
    centred = x[:, None, :] - mixture.means_
    assert_allclose(
        mixture.covariances_, np.einsum("nk,nkd->d", gamma, centred**2) / len(x), rtol=1e-3
    )
    densities = [
        weight * multivariate_normal(mean, np.diag(mixture.covariances_)).pdf(x)
        for weight, mean in zip(mixture.weights_, mixture.means_, strict=True)
    ]
    assert_allclose(mixture.score_samples(x), np.log(np.sum(densities, axis=0)), rtol=1e-10)
    assert np.diff(mixture.lower_bounds_).min() >= -1e-10
    assert mixture.bic(x) == pytest.approx(-2 * mixture.score(x) * 3000 + 14 * np.log(3000))
    drawn, _ = mixture.sample(20_000)
    assert_allclose(drawn.mean(0), mixture.weights_ @ mixture.means_, atol=0.1)
    # 2 + 9 and 3 variances, where a matrix has 6.
    message = r"'shared-axes'.* with 'tied', but its bic and aic count 17 parameters .* has 14, "
    with pytest.warns(ExchangeWarning, match=message) as warned:
        reference = mixture.to_sklearn()
    assert warned[0].filename == __file__
    assert (reference._n_parameters(), mixture._n_parameters()) == (17, 14)
    assert_allclose(reference.score_samples(x), mixture.score_samples(x), rtol=1e-10)


@pytest.mark.slow
def test_it_is_swept_saved_and_on_the_command_line(x, tmp_path, monkeypatch):
    found = sweep(
        x, (2, 3, 4), ("full", "tied", "diag", "spherical", "shared-axes"), random_state=0
    )
    best = found.best()
    assert (best.n_components, best.covariance_type) == (3, "shared-axes")
    best.save(tmp_path / "m.json")
    assert_allclose(load_model(tmp_path / "m.json").score_samples(x), best.score_samples(x))
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(500, 3))
    monkeypatch.chdir(tmp_path)
    main(
        ["fit", "x.zarr", "-k", "3", "--covariance", "shared-axes", "-o", "c.json"],
        standalone_mode=False,
    )
    assert_allclose(load_model("c.json").score(x), best.score(x), atol=1e-3)


@pytest.mark.slow
def test_workers_need_no_table(x):
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster),
    ):
        lazy = da.from_array(x, chunks=(1000, 3))
        mixture = GaussianMixture(3, covariance_type="shared-axes", random_state=0).fit(lazy)
        there = mixture.predict(lazy).compute(), mixture.score(lazy)
    np.testing.assert_array_equal(there[0], mixture.predict(x))
    assert there[1] == pytest.approx(mixture.score(x), rel=1e-12)


def test_what_keeps_too_little_is_refused():
    with pytest.raises(TypeError, match="keeps too little of the rows for covariances of"):

        class Blind(Structure):
            precision, statistic = Dense(), Squares()

    with pytest.raises(TypeError, match="covariances are not shared"):

        class Alone(Structure):
            precision, statistic = Dense(), Pooled()


def test_arrays_of_another_shape_are_refused(x):
    mixture = GaussianMixture(2, covariance_type="diag", random_state=0).fit(x)
    mixture.precisions_cholesky_ = mixture.precisions_cholesky_.T
    with pytest.raises(ValueError, match=r"shape \(3, 2\); 2 components of 3"):
        mixture.score(x)


def test_a_name_that_is_in_no_table_is_refused(x):
    with pytest.raises(ValueError, match=r"shared-axes.*Got 'EVX' instead"):
        GaussianMixture(2, covariance_type="EVX").fit(x)


@pytest.mark.slow
def test_a_sweep_compares_it_where_it_has_converged_as_far_as_the_others():
    random = np.random.default_rng(5)
    scales = np.array([[1, 1, 1], [2, 0.5, 1], [0.5, 1, 2]])
    means = np.array([[0, 0, 0], [1.2, 0.8, 0], [-1, 0.5, 1.0]])
    labels = random.integers(3, size=40_000)
    x = means[labels] + random.normal(size=(len(labels), 3)) * scales[labels]
    found = sweep(x, [3], ("equal-volumes", "diag"), random_state=0)
    fitted = [row for row, status in enumerate(found.table["status"]) if status == "fitted"]
    assert len(fitted) == 2
    for mixture, bic in ((found.models[row], found.table["bic"][row]) for row in fitted):
        start = {"weights_init": mixture.weights_, "means_init": mixture.means_}
        start["precisions_init"] = mixture.precisions_
        mixture.set_params(tol=1e-10, max_iter=2000, **start)
        assert bic - mixture.fit(x).bic(x) < 2.0
    assert found.best().covariance_type == "equal-volumes"
