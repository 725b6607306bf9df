"""The prior that ships, against its published formulas."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import invwishart, multivariate_normal

from daskgmm import GaussianMixture, load_model, sweep
from daskgmm.em.checkpoints.checkpoint import digest_of
from daskgmm.errors import CheckpointError, DegenerateComponentWarning, WeightsWarning
from daskgmm.gaussian import BACKENDS, PRIORS, STRUCTURES, maximise
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.testing import PriorTests
from daskgmm.testing.mixtures import log_joint, random_mixture
from tests.gaussian.mixtures import parameters_of


class TestConjugate(PriorTests):
    name = "conjugate"
    prior = PRIORS["conjugate"]


class TestDirichlet(PriorTests):
    name = "dirichlet"
    prior = PRIORS["dirichlet"]


@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
def test_a_dirichlet_prior_adds_a_row_to_each_component(structure):
    """Its mode is (N_k + alpha - 1) / (n + k (alpha - 1)), and the rest is the likelihood's."""
    random = np.random.default_rng(0)
    rows = np.concatenate([random.normal(size=(n, 2)) + c for n, c in ((90, 0.0), (10, 60.0))])
    start = {"weights_init": [0.5, 0.5], "means_init": [[0.0, 0.0], [60.0, 60.0]]}
    settings = {"covariance_type": structure, "acceleration": None, **start}
    plain = GaussianMixture(2, **settings).fit(rows)
    found = GaussianMixture(2, prior="dirichlet", **settings).fit(rows)
    assert_allclose(found.weights_, [91 / 102, 11 / 102], rtol=1e-12)
    assert_allclose(found.means_, plain.means_, rtol=1e-9, atol=1e-9)
    assert_allclose(found.covariances_, plain.covariances_, rtol=1e-9)


@pytest.mark.parametrize("structure", ["full", "tied", "diag", "spherical"])
def test_the_mode_of_one_component_is_the_direct_formula(structure):
    """Fraley & Raftery (2007): the scatter about the mode, over nu + n + d + 2."""
    n, d, kappa = len(X), X.shape[1], 0.01
    found = GaussianMixture(1, covariance_type=structure, prior="conjugate", reg_covar=0).fit(X)
    mean, covariance = X.mean(0), np.cov(X.T, bias=True)
    mode = (covariance + n * covariance) / ((d + 2) + n + d + 2)
    expected = {
        "full": mode[None],
        "tied": mode,
        "diag": np.diagonal(mode)[None],
        "spherical": np.array([np.trace(mode) / d]),
    }[structure]
    assert_allclose(found.means_[0], (n * mean + kappa * mean) / (n + kappa), rtol=1e-12)
    assert_allclose(found.covariances_, expected, rtol=1e-9, atol=1e-12)


X = np.random.default_rng(1).normal(size=(40, 3)) @ np.diag([1.0, 2.0, 0.5]) + [5.0, 0.0, -3.0]


def in_two_speeds(*long):
    """Return structures, of which those with long M-steps or fits are for slow tests."""
    return [
        pytest.param(name, marks=pytest.mark.slow) if name in long else name for name in STRUCTURES
    ]


@pytest.mark.parametrize("k", [1, 4])
def test_the_degrees_of_freedom_are_those_published(k):
    """nu + n + d + 2 for matrices of their own, nu + n + d + k + 1 for one, with nu = d + 2."""
    mean, covariance, d = X.mean(0), np.cov(X.T), 3
    own = PRIORS["conjugate"].pseudo_moments(k, mean, covariance, STRUCTURES["full"])
    shared = PRIORS["conjugate"].pseudo_moments(k, mean, covariance, STRUCTURES["tied"])
    assert_allclose(own.scale_counts, 2 * d + 4)
    assert_allclose(shared.scale_counts, 2 * d + 3 + k)


def test_a_component_that_dies_is_said_to_be_empty():
    rows = np.random.default_rng(0).normal(size=(50, 2))
    start = {"means_init": [[0.0, 0.0], [1e3, 1e3]], "precisions_init": [np.eye(2)] * 2}
    with pytest.warns(DegenerateComponentWarning, match="1"):
        found = GaussianMixture(
            2, prior="conjugate", acceleration=None, weights_init=[0.5, 0.5], **start
        ).fit(rows)
    assert found.weights_[1] < 1e-200
    assert_allclose(found.means_[1], rows.mean(0), atol=1e-12)


def test_a_warm_start_under_another_prior_begins_its_bounds_anew():
    mixture = GaussianMixture(2, random_state=0, warm_start=True, tol=1e-6).fit(X)
    mixture.set_params(prior="conjugate").fit(X)
    alone = GaussianMixture(
        2, prior="conjugate", tol=1e-6, weights_init=mixture.weights_, means_init=mixture.means_
    ).fit(X)
    assert mixture.lower_bound_ == pytest.approx(alone.lower_bound_, abs=1e-4)
    assert np.isinf(mixture.history_["change"][0])


COUNTS = np.arange(len(X)) % 3 + 1


def test_a_warm_start_with_another_meaning_of_weights_begins_its_bounds_anew():
    mixture = GaussianMixture(2, prior="conjugate", random_state=0, warm_start=True, tol=1e-6)
    mixture.fit(X, sample_weight=COUNTS, weights_are="counts")
    mixture.fit(X, sample_weight=COUNTS, weights_are="counts")
    assert np.isfinite(mixture.history_["change"][0])
    mixture.fit(X, sample_weight=COUNTS, weights_are="relative")
    assert np.isinf(mixture.history_["change"][0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::daskgmm.errors.WeightsWarning")
def test_a_checkpoint_takes_what_is_said_by_default_for_the_same(tmp_path):
    mixture, given = GaussianMixture(2, prior="conjugate", random_state=0), (X, None, COUNTS)
    bound = mixture.fit(*given, checkpoint=tmp_path / "c").lower_bound_
    mixture.fit(*given, weights_are="relative", checkpoint=tmp_path / "c")
    assert mixture.lower_bound_ == bound
    with pytest.raises(CheckpointError, match="weights_are was 'relative' and is 'counts'"):
        mixture.fit(*given, weights_are="counts", checkpoint=tmp_path / "c")


def written_by_an_earlier_version(path):
    document = json.loads(path.read_text())
    del document["objective"], document["sha256"]
    path.write_text(json.dumps({**document, "sha256": digest_of(document)}))


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("prior", [None, "conjugate"])
def test_a_loaded_model_knows_what_it_raised(prior, earlier, tmp_path):
    mixture = GaussianMixture(2, prior=prior, random_state=0).fit(X)
    mixture.save(tmp_path / "m.json")
    if earlier:
        written_by_an_earlier_version(tmp_path / "m.json")
    loaded = load_model(tmp_path / "m.json").set_params(warm_start=True, max_iter=0).fit(X)
    assert loaded.lower_bound_ == mixture.lower_bound_
    assert loaded.criteria_ == mixture.criteria_
    other = "conjugate" if prior is None else None
    for changed in ({"prior": other}, {"reg_covar": 2e-6}):
        loaded = load_model(tmp_path / "m.json")
        loaded.set_params(warm_start=True, max_iter=0, **changed).fit(X)
        assert loaded.lower_bound_ == -np.inf
        assert np.isnan(loaded.criteria_["log_likelihood"])


def test_settings_that_were_changed_since_the_fit_do_not_change_what_it_raised(tmp_path):
    GaussianMixture(2, random_state=0).fit(X).set_params(prior="conjugate").save(tmp_path / "m")
    loaded = load_model(tmp_path / "m").set_params(warm_start=True).fit(X)
    assert np.isinf(loaded.history_["change"][0])


def test_scikit_learn_gets_a_likelihood():
    mixture = GaussianMixture(2, prior="conjugate", random_state=0, tol=1e-7).fit(X)
    reference = mixture.to_sklearn()
    assert reference.lower_bound_ == pytest.approx(reference.score(X), abs=1e-4)
    assert reference.lower_bounds_ == []
    back = GaussianMixture.from_sklearn(reference)
    assert back.criteria_["log_likelihood"] == reference.lower_bound_
    back.set_params(prior="conjugate", warm_start=True).fit(X)
    assert np.isinf(back.history_["change"][0])


def test_whole_weights_that_nobody_explained_are_asked_about():
    with pytest.warns(WeightsWarning, match="counts"):
        GaussianMixture(1, prior="conjugate").fit(X, sample_weight=COUNTS)


@pytest.mark.parametrize("structure", ["full", "tied"])
def test_one_component_is_the_mode_in_closed_form(structure):
    """Fraley & Raftery (2007), section 3: nu = d + 2, kappa = 0.01, Lambda = S / k^(2/d)."""
    found = GaussianMixture(
        1, covariance_type=structure, reg_covar=0.0, prior="conjugate", random_state=0
    ).fit(X)
    n, d = X.shape
    scatter = (X - X.mean(0)).T @ (X - X.mean(0))
    expected = (scatter / n + scatter) / (n + (d + 2) + d + 2)
    assert_allclose(found.means_[0], X.mean(0), rtol=1e-12)
    assert_allclose(np.reshape(found.covariances_, (d, d)), expected, rtol=1e-10, atol=1e-12)


def test_the_log_density_is_that_of_scipy_up_to_a_constant():
    mean, covariance, k, d = X.mean(0), np.cov(X.T), 2, 3
    full = STRUCTURES["full"]
    pseudo = PRIORS["conjugate"].pseudo_moments(k, mean, covariance, full)
    random, differences = np.random.default_rng(0), []
    for _ in range(4):
        means = random.normal(size=(k, d))
        matrices = invwishart.rvs(d + 4, np.eye(d), size=k, random_state=random)
        found = pseudo.log_density(parameters_of("full", [0.4, 0.6], means, matrices), full, 0.0)
        expected = sum(
            multivariate_normal(mean, sigma / 0.01).logpdf(mu)
            + invwishart(d + 2, covariance / k ** (2 / d)).logpdf(sigma)
            for mu, sigma in zip(means, matrices, strict=True)
        )
        differences.append(found - expected)
    assert_allclose(differences, differences[0], rtol=1e-9)


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("about", [0.0, 3.0])
def test_a_component_without_rows_has_the_mode_of_its_prior(name, about):
    """Whatever the moments are about: no other component's parameters raise the density more."""
    structure, k, d = STRUCTURES[name], 3, X.shape[1]
    old = random_mixture(structure, k, d)
    old = replace(old, means=old.means + np.array([[0], [0], [1e4]]))
    points = np.vstack([X.mean(0), X.mean(0) + about, old.means[2]])
    kernel = WhitenedKernel.of(old, points)
    (moments,) = BACKENDS["numpy"].moments([kernel], iter([Block(X)]))
    mean, covariance = X.mean(0), np.cov(X.T)
    pseudo = PRIORS["conjugate"].pseudo_moments(k, mean, covariance, structure)
    step = maximise(pseudo.added_to(moments, structure), name, 0.0, old)
    assert step.empty == (2,)
    found = step.parameters
    assert_allclose(found.means[2], mean, rtol=1e-9)
    joint = log_joint(old, X)
    gamma = np.exp(joint - logsumexp(joint, axis=0))

    def objective(at):
        """The expected log-likelihood by its definition, and the prior's density."""
        densities = log_joint(replace(at, weights=np.ones(k)), X)
        return (gamma * densities).sum() + pseudo.log_density(at, structure, 0.0)

    best = objective(found)
    assert best > objective(old)
    for factor in (0.99, 1.01):
        factors = found.precisions_cholesky / np.sqrt(factor)
        near = replace(found, covariances=factor * found.covariances, precisions_cholesky=factors)
        assert objective(near) < best
    if structure.free and not structure.shared:
        alone = pseudo.scales[0] / pseudo.scale_counts[2]
        expected = structure.precision.of_matrices(alone[None])[0]
        # Its moments are about a point 1e4 away.
        assert_allclose(found.covariances[2], expected, atol=1e-9)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_component_of_equal_rows_does_not_collapse(structure):
    """Without a prior nothing but `reg_covar` holds it up."""
    rows = np.concatenate([X, np.tile([50.0, 50.0, 50.0], (10, 1))])
    settings = {"covariance_type": structure, "reg_covar": 0.0, "random_state": 0}
    found = GaussianMixture(2, prior="conjugate", **settings).fit(rows)
    assert found.converged_
    lone = int(np.argmax(found.means_[:, 0]))
    assert found.weights_[lone] == pytest.approx(0.2, abs=0.05)
    variances = np.linalg.eigvalsh(full_covariances(found)[lone])
    assert variances.min() > 1e-2


@pytest.mark.parametrize("init_params", ["k-means++", "random_from_data"])
@pytest.mark.parametrize("structure", STRUCTURES)
def test_starts_from_single_rows_have_the_spread_of_the_prior(structure, init_params):
    settings = {"covariance_type": structure, "reg_covar": 0.0, "random_state": 0}
    found = GaussianMixture(3, prior="conjugate", init_params=init_params, **settings).fit(X)
    assert found.converged_
    assert np.linalg.eigvalsh(full_covariances(found)).min() > 1e-3


def full_covariances(mixture):
    structure, (k, d) = STRUCTURES[mixture.covariance_type], mixture.means_.shape
    inside = structure.internal(np.asarray(mixture.covariances_), k, d)
    return np.broadcast_to(structure.precision.matrices(inside, d), (k, d, d))


@pytest.mark.parametrize("structure", in_two_speeds("EVE", "VVE"))
def test_acceleration_ends_where_em_does_and_never_falls(structure):
    settings = {"covariance_type": structure, "prior": "conjugate", "reg_covar": 0.0}
    settings["random_state"] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        near = GaussianMixture(3, acceleration=None, max_iter=15, tol=0.0, **settings).fit(X)
    settings["weights_init"], settings["means_init"] = near.weights_, near.means_
    settings["precisions_init"] = near.precisions_
    plain = GaussianMixture(3, acceleration=None, tol=1e-12, max_iter=5000, **settings).fit(X)
    fast = GaussianMixture(3, tol=1e-10, max_iter=500, **settings).fit(X)
    assert fast.lower_bound_ == pytest.approx(plain.lower_bound_, abs=1e-8)
    assert np.diff(fast.lower_bounds_).min() >= -1e-12
    assert np.diff(plain.lower_bounds_).min() > -1e-14


def test_the_criteria_on_the_card_are_of_the_likelihood():
    mixture = GaussianMixture(2, prior="conjugate", tol=1e-8, random_state=0).fit(X)
    n_parameters = mixture._n_parameters()
    expected = n_parameters * np.log(len(X)) - 2 * len(X) * mixture.score(X)
    assert mixture._known_criteria()["bic"] == pytest.approx(expected, abs=1e-3)
    assert mixture.bic(X) == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    "structure", in_two_speeds("EVE", "VVE", "VEI", "EVI", "VEE", "EEV", "VEV", "EVV")
)
def test_weights_of_any_scale_leave_the_prior_its_own(structure):
    """It counts in rows, and weights in rows are as criteria count them."""
    settings = {"covariance_type": structure, "prior": "conjugate", "random_state": 0}
    settings |= {"n_components": 2, "tol": 1e-10, "max_iter": 1000, "means_init": X[[0, -1]]}
    weights = np.random.default_rng(2).uniform(0.5, 2.0, size=len(X))
    one = GaussianMixture(**settings).fit(X, sample_weight=weights).sort_components()
    for scale in (1e-3 / weights.sum(), 1e6):
        other = GaussianMixture(**settings).fit(X, sample_weight=scale * weights).sort_components()
        assert_allclose(other.covariances_, one.covariances_, rtol=1e-5)
        assert other.lower_bound_ == pytest.approx(one.lower_bound_, abs=1e-8)


def test_counts_are_repeated_rows():
    counts = np.arange(len(X)) % 3 + 1
    settings = {"prior": "conjugate", "random_state": 0, "n_components": 1}
    one = GaussianMixture(**settings).fit(X, sample_weight=counts, weights_are="counts")
    other = GaussianMixture(**settings).fit(np.repeat(X, counts, axis=0))
    assert_allclose(one.covariances_, other.covariances_, rtol=1e-10)


def test_sweeps_have_it_too():
    found = sweep(X, (1, 2), prior="conjugate", random_state=0)
    alone = GaussianMixture(1, prior="conjugate").fit(X)
    assert found.models[0].prior == "conjugate"
    assert_allclose(found.models[0].covariances_, alone.covariances_, rtol=1e-8)


def test_an_unknown_one_is_refused():
    with pytest.raises(ValueError, match=r"'prior' parameter .*conjugate.* or None"):
        GaussianMixture(1, prior="flat").fit(X)
