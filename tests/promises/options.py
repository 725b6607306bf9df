"""Every entry of the tables with an estimator that has it: new entries are in without a line."""

import numpy as np

from daskgmm import BayesianGaussianMixture, GaussianMixture
from daskgmm.gaussian.covariance.families import FAMILIES
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.priors import PRIORS
from daskgmm.gaussian.weight_prior import WEIGHT_PRIORS
from daskgmm.names import TAILS
from tests.oracle.data import blobs

K, D = 3, 4

STARTED = {"n_components": K, "init_params": "k-means++", "random_state": 0}


def options():
    """Return names of options, each with its estimator and settings."""
    structures = {f"structure {name}": {"covariance_type": name} for name in STRUCTURES}
    structures |= {
        f"structure {name}": {"covariance_type": name, "n_factors": 2} for name in FAMILIES
    }
    priors = {f"prior {name}": {"prior": name} for name in PRIORS}
    tails = {f"tails {name}": {"tails": name} for name in TAILS}
    posteriors = {
        f"posterior {name}": {"weight_concentration_prior_type": name} for name in WEIGHT_PRIORS
    }
    switches = {name: {name: True} for name in ("noise", "equal_weights", "standardise")}
    points = {**structures, **priors, **tails, **switches, "pca": {"pca": 2}}
    return {
        **{name: (GaussianMixture, settings) for name, settings in points.items()},
        **{name: (BayesianGaussianMixture, settings) for name, settings in posteriors.items()},
    }


OPTIONS = options()


def work(option):
    """Return what workers compute for an option: a structure is its statistic to them."""
    name = OPTIONS[option][1].get("covariance_type")
    if name not in STRUCTURES:
        return option
    statistic = STRUCTURES[name].statistic
    return type(statistic), type(statistic.form), statistic.pools


WORKS = list({work(option): option for option in reversed(OPTIONS)}.values())
"""One option of each work."""


def made(option, **settings):
    """Return an estimator with this option that is not fitted."""
    kind, chosen = OPTIONS[option]
    return kind(**{**STARTED, **chosen, **settings})


def rows(n, d=D, seed=1):
    """Return rows of clusters, and one in fifty that lies anywhere, as outliers do."""
    random = np.random.default_rng(seed)
    x = blobs(n, d, K, seed=seed)
    far = random.random(n) < 0.02
    x[far] = random.uniform(-40.0, 40.0, size=(int(far.sum()), d))
    return x
