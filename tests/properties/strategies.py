"""What properties are asked of: rows, weights, chunks, gaps, mixtures and sources, as drawn.

Hypothesis draws sizes, kinds of trouble and a seed; the numbers are NumPy's of that seed. So an
example is small to print, and large enough to have clusters.
"""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.priors.table import PRIORS
from daskgmm.gaussian.priors.weight_prior import WEIGHT_PRIORS
from daskgmm.names import MARGINALISE, STARTS, TAILS
from tests.properties.forms import FORMS

SEEDS = st.integers(0, 2**32 - 1)

OFFSETS = st.sampled_from([0.0, 1.0, -1e3, 1e6, 1e8])
"""Distances of rows from the origin, in units of the distance of clusters."""

SCALES = st.sampled_from([1.0, 1e-6, 1e-3, 7.0, 1e4, 1e9])

LARGEST = 1e37
"""Value above which rows are not made float32."""

TYPES = st.sampled_from(["f8", "f8", "f4", "i4", "i2", "u1"])


@dataclass(frozen=True, repr=False)
class Table:
    """Rows, and what goes beside them.

    Attributes
    ----------
    x : ndarray of shape (n, d)
    k : int
        Number of the clusters that they are of.
    weights : ndarray of shape (n,) or None
    chunks : tuple of int
        Lengths of chunks.
    seed : int
        Of what else is drawn.
    """

    x: np.ndarray
    k: int
    weights: np.ndarray | None
    chunks: tuple[int, ...]
    seed: int

    @property
    def random(self):
        """Return a new generator, the same one for the same example."""
        return np.random.default_rng(self.seed)

    def _repr_pretty_(self, printer, cycle):
        printer.text(repr(self))

    def __repr__(self):
        weights = None if self.weights is None else self.weights[:4]
        return (
            f"Table({self.x.dtype} {self.x.shape}, k={self.k}, weights={weights}, "
            f"chunks={self.chunks}, seed={self.seed}, first={self.x[:2].tolist()})"
        )


def _few_distinct(x, random):
    return x[random.integers(0, max(1, len(x) // 6), len(x))]


def _constant(x, random):
    x[:, 0] = x[0, 0]
    return x


def _outlier(x, random):
    x[0] += 1e6 * (1.0 + np.ptp(x, axis=0))
    return x


def _rounded(x, random):
    unit = np.ptp(x) / 8 or 1.0
    return np.round(x / unit) * unit


def _collinear(x, random):
    x[:, -1] = 2 * x[:, 0]
    return x


def _scaled(x, random):
    return x * 10.0 ** random.integers(-12, 13, x.shape[1])


def _one_row(x, random):
    return np.broadcast_to(x[:1], x.shape).copy()


def _far_apart(x, random):
    x[len(x) // 2 :] += 1e5 * (1.0 + np.ptp(x, axis=0))
    return x


TROUBLES = {
    "none": lambda x, random: x,
    "few distinct": _few_distinct,
    "constant": _constant,
    "outlier": _outlier,
    "rounded": _rounded,
    "collinear": _collinear,
    "scaled": _scaled,
    "one row": _one_row,
    "far apart": _far_apart,
}
"""What may be wrong with rows."""


def clusters(random, n, d, k):
    """Return rows of k clusters of differing shapes, none of them degenerate."""
    means, labels = 4.0 * random.normal(size=(k, d)), random.integers(k, size=n)
    factors = np.eye(d) + 0.4 * random.normal(size=(k, d, d))
    return means[labels] + np.einsum("nij,nj->ni", factors[labels], random.normal(size=(n, d)))


def as_type(x, dtype):
    """Return rows of a type; integers have some hundred steps, so that none overflows."""
    kind = np.dtype(dtype)
    if kind == np.float32 and np.abs(x).max() > LARGEST:
        return x
    if kind.kind not in "iu":
        return x.astype(kind)
    low, span = x.min(0), np.ptp(x) or 1.0
    return np.round((x - low) / span * 200).astype(kind)


@st.composite
def cuts(draw, n):
    """Draw lengths of chunks of n rows: none of them is empty."""
    places = draw(st.sets(st.integers(1, max(1, n - 1)), max_size=6)) - {n}
    edges = [0, *sorted(places), n]
    return tuple(np.diff(edges).tolist())


@st.composite
def weights_of(draw, n, kinds=("none", "counts", "lognormal", "zeros", "large")):
    """Draw weights of n rows, at least half of them positive, or None."""
    kind, random = draw(st.sampled_from(kinds)), np.random.default_rng(draw(SEEDS))
    if kind == "none":
        return None
    if kind == "counts":
        return np.maximum(random.integers(0, 4, n), np.arange(n) % 2).astype(float)
    weights = random.lognormal(size=n)
    if kind == "zeros":
        weights[1 + 2 * random.integers(0, max(1, n // 2), n // 3) % max(1, n - 1)] = 0.0
        weights[0] = 1.0
    return weights * (1e140 if kind == "large" else 1.0)


@st.composite
def tame_tables(draw, kinds=("none", "counts", "lognormal", "zeros", "large"), types=TYPES):
    """Draw rows of clusters with enough rows each, which rounding hardly moves."""
    seed, d, k = draw(SEEDS), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    n = draw(st.integers(12 * k * (d + 1), 20 * k * (d + 1)))
    x = clusters(np.random.default_rng(seed), n, d, k)
    x = (x + draw(st.sampled_from([0.0, -30.0, 1e3]))) * draw(SCALES)
    weights = draw(weights_of(n, kinds))
    return Table(as_type(x, draw(types)), k, weights, draw(cuts(n)), seed)


@st.composite
def nasty_tables(draw, kinds=("none", "counts", "lognormal", "zeros", "large")):
    """Draw a few rows with something wrong with them."""
    seed, d, k = draw(SEEDS), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    n = draw(st.integers(2 * k + 2, 40))  # some have no weight
    random = np.random.default_rng(seed)
    x = clusters(random, n, d, k)
    x = TROUBLES[draw(st.sampled_from(sorted(TROUBLES)))](x, random)
    x = (x + draw(OFFSETS)) * draw(SCALES)
    x = TROUBLES[draw(st.sampled_from(sorted(TROUBLES)))](x, random)
    return Table(as_type(x, draw(TYPES)), k, draw(weights_of(n, kinds)), draw(cuts(n)), seed)


@st.composite
def structures(draw, d):
    """Draw settings of a covariance structure of the tables for d features."""
    families = sorted(FAMILIES) if d > 1 else []
    name = draw(st.sampled_from([*STRUCTURES, *families]))
    return {"covariance_type": name} | (
        {"n_factors": draw(st.integers(1, d - 1))} if name in FAMILIES else {}
    )


@st.composite
def options(draw, d):
    """Draw settings beside the structure, one or two of them; some exclude each other."""
    several = {
        "standardise": st.just(True),
        "pca": st.sampled_from([*range(1, d + 1), 0.9]),
        "noise": st.just(True),
        "tails": st.sampled_from(list(TAILS)),
        "prior": st.sampled_from(list(PRIORS)),
        "equal_weights": st.just(True),
        "missing": st.sampled_from(["drop", MARGINALISE]),
    }
    names = draw(st.sets(st.sampled_from(sorted(several)), max_size=2))
    return {name: draw(several[name]) for name in sorted(names)}


@st.composite
def settings_of(draw, d):
    """Draw settings of a `GaussianMixture` of rows of d features."""
    found = draw(structures(d)) | draw(options(d))
    if "n_factors" in found:
        found.pop("pca", None)  # which may leave too few axes
    if draw(st.booleans()):
        found["acceleration"] = None
    found["init_params"] = draw(st.sampled_from(list(STARTS)))
    return found | {"random_state": draw(st.integers(0, 99))}


@st.composite
def bayesian_settings(draw):
    """Draw settings of a `BayesianGaussianMixture`."""
    return {
        "covariance_type": draw(st.sampled_from(["full", "tied", "diag", "spherical"])),
        "weight_concentration_prior_type": draw(st.sampled_from(list(WEIGHT_PRIORS))),
        "weight_concentration_prior": draw(st.sampled_from([None, 1e-3, 1.0, 1e3])),
        "random_state": draw(st.integers(0, 99)),
    }


def gaps(table, share=0.25):
    """Return the rows of a table as floats, with gaps; every row keeps a value."""
    random = table.random
    holed = random.random(table.x.shape) < share
    holed[np.arange(len(holed)), random.integers(0, holed.shape[1], len(holed))] = False
    return np.where(holed, np.nan, table.x.astype(np.promote_types(table.x.dtype, np.float32)))


FORM_NAMES = st.sampled_from(sorted(FORMS))
"""Forms in which users have rows."""


@st.composite
def mixtures(draw, d, k, troubles=True):
    """Draw the weights, means and matrices (k, d, d) of a mixture, which is never fitted."""
    random = np.random.default_rng(draw(SEEDS))
    weights = random.dirichlet(np.ones(k)) if draw(st.booleans()) else np.full(k, 1.0 / k)
    means = draw(st.sampled_from([0.0, 1.0, 30.0])) * random.normal(size=(k, d))
    roots = random.normal(size=(k, d, d + 2))
    matrices = roots @ roots.transpose(0, 2, 1) / (d + 2)
    scales = 10.0 ** random.uniform(-3, 3, d) if troubles and draw(st.booleans()) else np.ones(d)
    means = (means + (draw(OFFSETS) if troubles else 0.0)) * scales
    return weights, means, matrices * scales[:, None] * scales
