"""Prior probabilities of classes."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError, SettingError
from daskgmm.gaussian.kernels.softmax import NO_PART
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.rows.checks.plain import plain


def priors_of(priors: Any, classes: NDArray[Any]) -> NDArray[np.float64]:
    """Return prior probabilities of classes (c,) that sum to 1.

    Raises
    ------
    SettingError
        If there is not one for each class, or one is negative, or all are 0.
    """
    if isinstance(priors, Mapping):
        names = [value.item() if isinstance(value, np.generic) else value for value in classes]
        if set(priors) != set(names):
            raise SettingError(
                f"priors has {', '.join(map(repr, priors))}, and the classes are "
                f"{', '.join(map(repr, names))}. Give one for each."
            )
        priors = [priors[name] for name in names]
    given = plain(priors, "priors").astype(np.float64)
    if given.shape != (len(classes),) or not (given >= 0).all() or not 0 < given.sum() < math.inf:
        raise SettingError(
            f"priors is {priors!r}; give {len(classes)} numbers that are not negative, one for "
            "each class."
        )
    return np.asarray(given / given.sum(), np.float64)


def with_priors(mixture: GaussianMixture, priors: NDArray[np.float64]) -> GaussianMixture:
    """Return a mixture whose clusters are classes with these probabilities (c,)."""
    shares = np.bincount(mixture.clusters_, mixture.weights_, len(priors))
    if (priors == shares / shares.sum()).all():
        return mixture
    made = copy.copy(mixture)
    factors = priors / np.where(shares > 0, shares, math.inf)
    weights = mixture.weights_ * factors[mixture.clusters_]
    made.weights_ = weights / weights.sum()
    return made


def check_counted(shares: NDArray[Any], classes: NDArray[Any]) -> None:
    """Raise `DataError` if a class has no share of the weight of the rows."""
    if shares.min() <= NO_PART:
        name = classes.tolist()[shares.argmin()]
        raise DataError(
            f"No row of the class {name!r} counts: they have no weight, or miss values and were "
            "dropped. Give it rows that count, or make its labels -1."
        )
