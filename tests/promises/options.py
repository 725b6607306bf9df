"""Every entry of the tables with an estimator that has it: new entries are in without a line."""

from dataclasses import dataclass

import dask.array as da
import numpy as np

from daskgmm import BayesianGaussianMixture, GaussianMixture
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.priors.table import PRIORS
from daskgmm.gaussian.priors.weight_prior import WEIGHT_PRIORS
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
    candidates = {"candidates": {"n_candidates": K - 1, "init_params": "kmeans"}}
    points = {**structures, **priors, **tails, **switches, **candidates, "pca": {"pca": 2}}
    return {
        **{name: (GaussianMixture, settings) for name, settings in points.items()},
        **{name: (BayesianGaussianMixture, settings) for name, settings in posteriors.items()},
    }


OPTIONS = options()


@dataclass(frozen=True)
class Beside:
    """What rows have beside them, or lack, that an option is about.

    Attributes
    ----------
    gaps : bool
        Whether rows miss values.
    labels, noise, matrices, shared : bool
        Whether some rows have labels, each has variances or a matrix of its noise, or all the same.
    """

    gaps: bool = False
    labels: bool = False
    noise: bool = False
    matrices: bool = False
    shared: bool = False

    def rows(self, x):
        """Return rows (n, d) as they are for the option: blocks of their columns may be missing."""
        if not self.gaps:
            return x
        holed, random = x.copy(), np.random.default_rng(0)
        first, last = random.random((2, len(x))) < 0.2
        holed[first, : x.shape[1] // 2] = np.nan
        holed[last, x.shape[1] // 2 + 1 :] = np.nan
        return holed

    def noise_of(self, n, d):
        """Return the noise of n rows of d features, or None."""
        noise = np.random.default_rng(0).uniform(0.1, 0.3, (n, d))
        if self.shared:
            return noise[0]
        if self.matrices:
            return noise[:, :, None] * np.eye(d) + 0.05
        return noise if self.noise else None

    def given(self, n, d, rows):
        """Return the arguments of a fit to n rows of d features in chunks of so many `rows`."""
        given, noise = {}, self.noise_of(n, d)
        if noise is not None:
            given["noise_variance"] = noise if self.shared else da.from_array(noise, chunks=rows)
        if self.labels:
            random = np.random.default_rng(0)
            labels = np.where(random.random(n) < 0.1, random.integers(K, size=n), -1)
            given["labels"] = da.from_array(labels, chunks=2 * rows)
        return given


GAPS = {"missing": "marginalise"}

BESIDE = {
    **{
        f"gaps {name}": (Beside(gaps=True), {**GAPS, "covariance_type": name})
        for name in ("full", "tied", "diag", "VVE")
    },
    "labels": (Beside(labels=True), {"init_params": "kmeans"}),
    "labels noise": (Beside(labels=True), {"noise": True}),
    **{f"labels tails {name}": (Beside(labels=True), {"tails": name}) for name in TAILS},
    "labels and known noise": (Beside(labels=True, noise=True), {}),
    "labels and known noise of all rows": (Beside(labels=True, shared=True), {}),
    "known noise": (Beside(noise=True), {}),
    "known noise diag": (Beside(noise=True), {"covariance_type": "diag"}),
    "known noise of matrices": (Beside(matrices=True), {}),
    "known noise of all rows": (Beside(shared=True), {}),
}
"""Options that need more than rows without gaps: what goes beside these, and settings."""

BESIDE_POSTERIORS = {"labels posterior": (Beside(labels=True), {})}
"""The same of a `BayesianGaussianMixture`."""

OPTIONS |= {name: (GaussianMixture, settings) for name, (_, settings) in BESIDE.items()}
OPTIONS |= {
    name: (BayesianGaussianMixture, settings) for name, (_, settings) in BESIDE_POSTERIORS.items()
}
BESIDE |= BESIDE_POSTERIORS


def beside(option):
    """Return what goes beside the rows of an option."""
    return BESIDE[option][0] if option in BESIDE else Beside()


def work(option):
    """Return what workers compute for an option: a structure is its statistic to them."""
    if option in BESIDE:
        return option
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
