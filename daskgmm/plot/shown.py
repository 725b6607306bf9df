"""What pictures show of a fitted mixture or classifier: some features, and how components look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from daskgmm.arrays import Array
from daskgmm.drawing.densities import margins
from daskgmm.drawing.ellipses import Look
from daskgmm.drawing.style import colours, labelled
from daskgmm.errors import SettingError
from daskgmm.models.classifying.classifier import GaussianMixtureClassifier
from daskgmm.models.density.columns import places
from daskgmm.models.facts.clusters import clusters_of
from daskgmm.models.inputs.rows import feature_names
from daskgmm.models.mixtures.mixture import Mixture
from daskgmm.models.pictures.marginals import (
    Marginals,
    marginals_of,
    means_and_deviations,
    ranges_of_rows,
)

UNUSED = 0.01
"""Weight, over that of equal parts of all but the noise, below which a component is not drawn: it
has hardly a row."""

WINDOW = 0.998
"""Share of each component that is inside the limits of the axes."""

INSIDE = 0.97
"""Share of each component that is inside them even where the rows of the fit end before: with it
an ellipse of two features that holds 90 % is inside."""

FARTHEST = 6.0
"""Deviations from a mean that are shown at most: heavy tails have no end."""

MOST_NUMBERED = 60
"""Components whose numbers are written; more would cover each other."""

Features = int | str | Sequence[int | str] | None


@dataclass(frozen=True)
class Shown:
    """Some features of a fitted mixture, and its components over them.

    Attributes
    ----------
    mixture : Mixture
    columns : tuple of int
    names : tuple of str
    units : tuple of str or None
    over : Marginals
        Over these columns.
    groups : ndarray of int, shape (k,)
        The class or cluster of each component; without any its own number.
    group_names : tuple of str
        None where there are no classes or clusters.
    """

    mixture: Mixture
    columns: tuple[int, ...]
    names: tuple[str, ...]
    units: tuple[str | None, ...]
    over: Marginals
    groups: NDArray[np.intp]
    group_names: tuple[str, ...]

    @property
    def look(self) -> Look:
        """Colours by group, numbers as predictions have them."""
        k, weights = len(self.groups), self.over.weights
        drawn = is_used(weights)
        palette = colours(1 + int(self.groups.max()))
        numbers = [str(number) if 1 < k <= MOST_NUMBERED else "" for number in range(k)]
        return Look([palette[group] for group in self.groups], numbers, weights, drawn)

    @property
    def limits(self) -> Array:
        """Limits of the axes, shape (2, c): nearly all of each component, but no empty space."""
        over, drawn = self.over, self.look.drawn
        reach = np.array([over.of([j]).radii(WINDOW) for j in range(len(self.columns))]).T
        variances = np.diagonal(over.covariances, axis1=1, axis2=2)
        far = np.minimum(reach, FARTHEST) * np.sqrt(np.maximum(variances, 0.0))
        low = (over.means - far)[drawn].min(axis=0)
        high = (over.means + far)[drawn].max(axis=0)
        inner = np.array([over.of([j]).radii(INSIDE) for j in range(len(self.columns))]).T
        near = inner * np.sqrt(np.maximum(variances, 0.0))
        rows = ranges_of_rows(self.mixture, self.columns)
        if rows is not None:
            room = 0.02 * (rows[1] - rows[0])
            least = np.minimum(rows[0] - room, (over.means - near)[drawn].min(axis=0))
            most = np.maximum(rows[1] + room, (over.means + near)[drawn].max(axis=0))
            low, high = np.maximum(low, least), np.minimum(high, most)
        return margins(low, high)

    def label(self, place: int, width: int = 40) -> str:
        """Return the name of a feature with its unit, in lines of so many letters at most."""
        return labelled(self.names[place], self.units[place], width)

    def left_out(self) -> str:
        """Say which components are not drawn."""
        out = np.flatnonzero(~self.look.drawn)
        if not out.size:
            return ""
        listed = ", ".join(map(str, out[:6])) + (", ..." if out.size > 6 else "")
        return f"hardly a row, not drawn: {listed}"


def is_used(weights: Array) -> NDArray[np.bool_]:
    """Return which components are drawn, (k,), by their weights (k,); at least one is."""
    used: NDArray[np.bool_] = weights >= UNUSED * weights.mean()
    return used


def shown(fitted: Any, features: Features, most: int | None = None) -> Shown:
    """Return what is shown of a fitted mixture or classifier.

    Without `features` it is `most` of them at most: those that tell components apart best, by the
    part of their variance that is between components.
    """
    mixture, classes = mixture_of(fitted)
    names, d = feature_names(mixture), mixture._n_columns()
    if features is None:
        columns = list(range(d)) if most is None or d <= most else telling(mixture, most)
    else:
        columns = places(features, names, d)
    own = tuple(f"feature {place}" if names is None else names[place] for place in columns)
    units = getattr(mixture, "feature_units_", None) or (None,) * d
    groups, named = grouped(mixture, classes)
    over = marginals_of(mixture, columns)
    return Shown(
        mixture, tuple(columns), own, tuple(units[place] for place in columns), over, groups, named
    )


def mixture_of(fitted: Any) -> tuple[Mixture, tuple[str, ...] | None]:
    """Return the mixture of what was fitted, and the names of its classes if it has any."""
    if not isinstance(fitted, (Mixture, GaussianMixtureClassifier)):
        raise SettingError(
            f"mixture is a {type(fitted).__name__}; give a fitted mixture or classifier of "
            "daskgmm: load_model reads one from a file, GaussianMixture.from_sklearn makes one of "
            "scikit-learn's."
        )
    check_is_fitted(fitted)
    if isinstance(fitted, GaussianMixtureClassifier):
        return fitted.mixture_, tuple(map(str, fitted.classes_.tolist()))
    return fitted, None


def grouped(
    mixture: Mixture, classes: tuple[str, ...] | None
) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return the group of each component, (k,), and the names of groups; none without any."""
    clusters = clusters_of(mixture)
    if clusters is None:
        return np.arange(len(mixture.weights_)), ()
    if classes is not None:
        return clusters, classes
    return clusters, tuple(f"cluster {number}" for number in range(1 + int(clusters.max())))


def telling(mixture: Mixture, most: int) -> list[int]:
    """Return the columns that tell components apart best, in their order."""
    means, deviations = means_and_deviations(mixture)
    shares = mixture.weights_ / mixture.weights_.sum()
    between = shares @ np.square(means - shares @ means)
    within = shares @ np.square(deviations)
    total = np.where(between + within > 0, between + within, 1.0)
    best = np.argsort(-between / total, kind="stable")[:most]
    return sorted(map(int, best))
