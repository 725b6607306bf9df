"""`daskgmm fit --bayesian` fits the posterior of a mixture."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from daskgmm import BayesianGaussianMixture, GaussianMixture, load_model
from daskgmm.cli.options.bayesian import NUMBERS, WITHOUT
from daskgmm.gaussian.priors import weight_prior
from daskgmm.names import WEIGHT_PRIORS

FIT = ("fit", "x.npy", "-k", 5, "-o", "m.json")


@pytest.fixture
def x(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(center, size=(150, 2)) for center in (0, 9)])
    np.save("x.npy", x)
    np.save("w.npy", random.integers(1, 3, 300))
    return x


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ((), {}),
        (
            ("--weight-concentration-prior", 0.1, "--mean-precision-prior", 2),
            {"weight_concentration_prior": 0.1, "mean_precision_prior": 2.0},
        ),
        (("--degrees-of-freedom-prior", 4, "--standardise"), {"standardise": True}),
    ],
)
@pytest.mark.parametrize("kind", ["dirichlet_process", "dirichlet_distribution"])
def test_the_model_is_that_of_the_estimator(call, x, kind, options, settings):
    done = call(*FIT, "--bayesian", kind, *options)
    assert done.exit_code == 0, done.output
    assert "bound" in done.stdout
    if "--degrees-of-freedom-prior" in options:
        settings = settings | {"degrees_of_freedom_prior": 4.0}
    settings = settings | {"weight_concentration_prior_type": kind, "random_state": 0}
    wanted, found = BayesianGaussianMixture(5, **settings).fit(x), load_model("m.json")
    assert isinstance(found, BayesianGaussianMixture)
    assert_array_equal(found.means_, wanted.means_)
    assert_array_equal(found.mean_precision_, wanted.mean_precision_)
    assert "of which 2 hold more than one row" in call("info", "m.json").stdout


def test_names_and_settings_are_those_of_the_estimators():
    assert set(WEIGHT_PRIORS) == set(weight_prior.WEIGHT_PRIORS)
    assert WEIGHT_PRIORS[0] == BayesianGaussianMixture().weight_concentration_prior_type
    point, posterior = (each().get_params() for each in (GaussianMixture, BayesianGaussianMixture))
    assert {name: point[name] for name in WITHOUT} == WITHOUT
    assert set(NUMBERS) <= posterior.keys() - point.keys()


@pytest.mark.slow
def test_weights(call, x):
    options = ("--bayesian", "dirichlet_process", "--weights", "w.npy", "--weights-are", "counts")
    done = call(*FIT, *options)
    assert done.exit_code == 0, done.output
    assert f"n = {np.load('w.npy').sum()}" in done.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--bayesian", "dirichlet_process", "--noise"), "--noise is not of a Bayesian mixture"),
        (("--bayesian", "dirichlet_process", "--prior", "conjugate"), "--prior is not of"),
        (("--bayesian", "dirichlet_process", "--covariance", "EVE"), "covariance"),
        (("--mean-precision-prior", 2), "--mean-precision-prior goes with --bayesian"),
        (("--bayesian", "x"), "'x' is not one of"),
    ],
)
def test_what_does_not_go_together(call, x, options, words):
    done = call(*FIT, *options)
    assert done.exit_code == 2
    assert words in done.stderr
