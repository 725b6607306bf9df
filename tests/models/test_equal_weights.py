"""Mixing proportions that are fixed at 1 / k: fits, criteria, files, sweeps, the command line."""

import json

import dask.array as da
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal

from daskgmm import BayesianGaussianMixture, GaussianMixture, load_model, sweep
from daskgmm.cli import main
from daskgmm.em.events import PassEnded
from daskgmm.errors import CheckpointError, DegenerateComponentWarning, ExchangeWarning
from daskgmm.gaussian.covariance.structures import STRUCTURES

K, N = 3, 1200


def unequal(n=N, seed=0):
    """Return rows of three overlapping clusters of which the first has most."""
    random = np.random.default_rng(seed)
    labels = random.choice(K, size=n, p=[0.6, 0.3, 0.1])
    scales = np.array([[1.0, 0.6], [0.5, 1.5], [1.0, 1.0]])
    return np.array([[0, 0], [3, 0], [0, 4]])[labels] + random.normal(size=(n, 2)) * scales[labels]


X = unequal()


def fitted(x=X, **settings):
    return GaussianMixture(K, equal_weights=True, **{"random_state": 0, **settings}).fit(x)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("acceleration", ["auto", None])
def test_the_likelihood_never_falls_in_any_structure(structure, acceleration):
    settings = {"covariance_type": structure, "acceleration": acceleration, "reg_covar": 0.0}
    mixture = fitted(X[:250], tol=1e-5, max_iter=1000, **settings)
    assert_array_equal(mixture.weights_, np.full(K, 1 / K))
    assert np.diff(mixture.lower_bounds_).min() >= -1e-10
    assert mixture._n_parameters() == K * 2 + STRUCTURES[structure].n_covariance_parameters(K, 2)
    assert mixture.criteria_["n_parameters"] == mixture._n_parameters()


def test_a_step_is_that_of_the_textbook():
    """Means and covariances of the responsibilities of densities that all count the same."""
    start = {"means_init": X[:K], "precisions_init": np.tile(np.eye(2), (K, 1, 1))}
    with pytest.warns(match="did not converge"):
        mixture = fitted(max_iter=1, reg_covar=0.0, **start)
    densities = np.array([multivariate_normal(mean).pdf(X) for mean in X[:K]])
    gamma = densities / densities.sum(0)
    means = gamma @ X / gamma.sum(1)[:, None]
    centred = X - means[:, None]
    covariances = np.einsum("kn,kni,knj->kij", gamma, centred, centred)
    assert_allclose(mixture.means_, means, rtol=1e-10)
    assert_allclose(mixture.covariances_, covariances / gamma.sum(1)[:, None, None], rtol=1e-9)
    assert_allclose(mixture.lower_bound_, np.log(densities.mean(0)).mean(), rtol=1e-12)


def test_acceleration_ends_where_plain_em_does_in_fewer_passes():
    x, settings = unequal(seed=3), {"reg_covar": 0.0, "max_iter": 5000}
    settings |= {"means_init": np.array([[0, 0], [3, 0], [0, 4]]), "random_state": 0}
    plain = fitted(x, acceleration=None, tol=1e-13, **settings)
    fast = fitted(x, tol=1e-10, **settings)
    assert fast.lower_bound_ >= plain.lower_bound_ - 1e-11
    assert_allclose(fast.means_, plain.means_, atol=1e-4)
    assert fast.n_iter_ < plain.n_iter_ / 3


@pytest.mark.parametrize("settings", [{}, {"noise": True}, {"covariance_type": "EEV"}])
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ScaleWarning")
def test_criteria_of_the_fit_give_back_what_reg_covar_takes(settings):
    """To first order, by what rows each component has, and not by its weight."""
    mixture = fitted(reg_covar=1e-2, tol=1e-8, max_iter=2000, **settings)
    assert abs(mixture.lower_bound_ - mixture.score(X)) > 5e-3
    assert_allclose(mixture.criteria_["log_likelihood"], mixture.score(X), atol=5e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [{"prior": "conjugate"}, {"tails": "contaminated"}, {"standardise": True}]
)
def test_it_goes_with(settings):
    mixture = fitted(tol=1e-6, max_iter=500, **settings)
    assert_array_equal(mixture.weights_, np.full(K, 1 / K))
    assert np.diff(mixture.lower_bounds_).min() >= -1e-10
    assert_allclose(mixture.criteria_["log_likelihood"], mixture.score(X), atol=1e-4)


@pytest.mark.slow
def test_noise_leaves_the_components_equal_parts():
    far = np.random.default_rng(1).uniform(-50, 50, size=(100, 2))
    mixture = fitted(np.concatenate([X, far]), noise=True)
    assert_allclose(mixture.weights_, (1 - mixture.noise_weight_) / K, rtol=1e-14)
    assert 0.05 < mixture.noise_weight_ < 0.1
    assert np.diff(mixture.lower_bounds_).min() >= -1e-10


def test_a_component_that_dies_is_tried_on_a_half_of_the_heaviest():
    start = np.array([[1e4, 1e4], [0, 0], [3, 0]])
    mixture = fitted(means_init=start, precisions_init=np.tile(np.eye(2), (K, 1, 1)))
    assert np.abs(mixture.means_).max() < 10
    assert np.diff(mixture.lower_bounds_).min() >= -1e-10
    assert_array_equal(mixture.weights_, np.full(K, 1 / K))


def never_read():
    def read(block):
        raise AssertionError("a row was read")

    return da.zeros((100, 2), chunks=(50, 2)).map_blocks(read, dtype=float, meta=np.empty((0, 0)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prior": "dirichlet"}, "prior='conjugate'"),
        ({"weights_init": [0.2, 0.3, 0.5]}, "weights_init"),
        ({"equal_weights": "yes"}, "equal_weights"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_before_a_row_is_read(settings, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(K, **{"equal_weights": True, **settings}).fit(never_read())


def test_a_sweep_refuses_a_prior_of_weights_before_a_row_is_read():
    with pytest.raises(ValueError, match="prior='conjugate'"):
        sweep(never_read(), (2, 3), prior="dirichlet", equal_weights=True)


def test_a_posterior_has_no_fixed_weights():
    class Fixed(BayesianGaussianMixture):
        equal_weights = True

    with pytest.raises(ValueError, match="equal_weights"):
        Fixed(K).fit(never_read())


@pytest.mark.slow
def test_a_sweep_fixes_them_in_all_models():
    found = sweep(X, range(1, 4), ("full", "VEI"), n_init=1, random_state=0, equal_weights=True)
    for k, structure, p, mixture in zip(
        *(found.table[name] for name in ("n_components", "covariance_type", "n_parameters")),
        found.models,
        strict=True,
    ):
        assert_array_equal(mixture.weights_, np.full(k, 1 / k))
        assert p == 2 * k + STRUCTURES[structure].n_covariance_parameters(k, 2)
    best = found.best("icl")
    assert best.equal_weights
    assert best.criteria_["n_parameters"] == best._n_parameters()
    estimator = GaussianMixture(equal_weights=True)
    other = sweep(X, (2,), n_init=1, random_state=0, estimator=estimator)
    assert_array_equal(other.best().weights_, [0.5, 0.5])


def test_files_keep_it_and_those_without_are_as_before(tmp_path):
    mixture = fitted()
    mixture.save(tmp_path / "m.json")
    loaded = load_model(tmp_path / "m.json")
    assert loaded.equal_weights
    assert loaded._n_parameters() == mixture._n_parameters()
    assert_array_equal(loaded.predict_proba(X), mixture.predict_proba(X))
    loaded.equal_weights = False
    assert loaded._n_parameters() == mixture._n_parameters(), "of the fit, not of the setting"
    GaussianMixture(K, random_state=0).fit(X).save(tmp_path / "free.json")
    assert "equal_weights" not in (tmp_path / "free.json").read_text()
    document = json.loads((tmp_path / "m.json").read_text())
    assert document["settings"]["equal_weights"] is True


@pytest.mark.slow
def test_a_checkpoint_is_of_one_or_the_other(tmp_path):
    settings = {"random_state": 0, "max_iter": 50}
    GaussianMixture(K, equal_weights=True, **settings).fit(X, checkpoint=tmp_path / "c")
    with pytest.raises(CheckpointError, match="equal_weights"):
        GaussianMixture(K, **settings).fit(X, checkpoint=tmp_path / "c")
    sweep(X, (2, 3), n_init=1, random_state=0, checkpoint=tmp_path / "s")
    assert "equal_weights" not in json.loads((tmp_path / "s").read_text())["identity"]
    with pytest.raises(CheckpointError, match="equal_weights"):
        sweep(X, (2, 3), n_init=1, random_state=0, checkpoint=tmp_path / "s", equal_weights=True)


def test_a_warm_start_may_fix_them_and_free_them():
    mixture = GaussianMixture(K, random_state=0, warm_start=True, tol=1e-6).fit(X)
    fixed = mixture.set_params(equal_weights=True).fit(X)
    assert_array_equal(fixed.weights_, np.full(K, 1 / K))
    assert np.diff(fixed.lower_bounds_).min() >= -1e-10
    bound = fixed.lower_bound_
    assert fixed.fit(X).lower_bound_ >= bound - 1e-12
    free = mixture.set_params(equal_weights=False).fit(X)
    assert free.lower_bound_ > bound
    assert np.ptp(free.weights_) > 0.1


def test_scikit_learn_takes_the_mixture_and_counts_its_weights():
    mixture = fitted()
    with pytest.warns(ExchangeWarning, match=r"no equal_weights.*17 parameters.* has 15"):
        reference = mixture.to_sklearn()
    assert_allclose(reference.score_samples(X), mixture.score_samples(X), rtol=1e-10)


def test_adaptation_leaves_them():
    mixture = fitted()
    adapted = mixture.map_adapt(X[:100], parameters=("means", "covariances"))
    assert_array_equal(adapted.weights_, mixture.weights_)
    assert adapted._n_parameters() == mixture._n_parameters()
    with pytest.raises(ValueError, match="equal_weights=True"):
        mixture.map_adapt(X[:100], parameters=("weights", "means"))


def test_starts_on_a_sample_of_many_rows_fix_them_too():
    x, passes = da.from_array(unequal(30_000), chunks=(5000, 2)), []

    def count(event):
        if isinstance(event, PassEnded):
            passes.append(event.name)

    mixture = GaussianMixture(K, equal_weights=True, sample_rows=2000, random_state=0)
    mixture.fit(x, listen=count)
    assert "sample" in passes
    assert_array_equal(mixture.weights_, np.full(K, 1 / K))
    assert np.diff(mixture.lower_bounds_).min() >= -1e-10


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_components_without_rows_are_told():
    x = np.repeat([[0.0, 0.0], [1.0, 5.0]], 30, axis=0)
    with pytest.warns(DegenerateComponentWarning):
        mixture = GaussianMixture(4, equal_weights=True, random_state=0).fit(x)
    assert np.isfinite(mixture.score(x))
    assert_array_equal(mixture.weights_, np.full(4, 0.25))


@pytest.mark.slow
def test_the_command_line(tmp_path):
    np.save(tmp_path / "x.npy", X)
    data, model = str(tmp_path / "x.npy"), str(tmp_path / "m.json")
    run = CliRunner().invoke
    for command in (["fit", "-k", "3"], ["sweep", "-k", "2-3"]):
        found = run(main, [*command, data, "-o", model, "--equal-weights", "-q", "--overwrite"])
        assert found.exit_code == 0, found.output
        mixture = load_model(model)
        assert_array_equal(mixture.weights_, 1 / mixture.n_components)
        assert "equal, fixed" in run(main, ["info", model]).output
    options = ["--overwrite", "--equal-weights", "--prior", "dirichlet"]
    refused = run(main, ["fit", "-k", "3", data, "-o", model, *options])
    assert refused.exit_code != 0
    assert "prior='conjugate'" in refused.output + str(refused.exception)
