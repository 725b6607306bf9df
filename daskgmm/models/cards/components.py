"""Components of a mixture as a table: weights, rows, and features in the units of the data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters
from daskgmm.markup.card import more, table, with_bar
from daskgmm.markup.text import Html, joined
from daskgmm.models.facts.criteria import rows_that_count

FIRST_COMPONENTS, MOST_COMPONENTS = 12, 60
"""Components that are shown at once, and in all: of more the heaviest ones."""

FIRST_FEATURES, MOST_FEATURES = 8, 48
"""Features that are shown at once, and in all."""

USUAL = 1e-4, 1e7
"""Standard deviations that are written without an exponent."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table that says more of each component, as its class."""

    name: str
    cells: Sequence[str]


def components_table(mixture: Any, more_of_each: Column | None = None) -> Html:
    """Return tables of the components, the heaviest first; what does not fit on a screen is closed.

    `more_of_each` is beside the numbers of all k components.
    """
    table_of = _Table(mixture, more_of_each)
    order = np.argsort(-mixture.weights_, kind="stable")
    shown, d = order[:MOST_COMPONENTS], table_of.n_features
    first, others = shown[:FIRST_COMPONENTS], shown[FIRST_COMPONENTS:]
    parts = [table_of.part(first, range(min(d, FIRST_FEATURES)), noise=True)]
    if len(others):
        inside = table_of.part(others, range(min(d, FIRST_FEATURES)))
        parts.append(more(f"{len(others)} lighter components", inside))
    if d > FIRST_FEATURES:
        last = min(d, MOST_FEATURES)
        pages = [table_of.part(shown, page) for page in _pages(FIRST_FEATURES, last)]
        parts.append(more(f"{last - FIRST_FEATURES} further features", *pages))
    return joined(*parts, *_left_out(len(order), d))


def _pages(first: int, stop: int) -> Iterator[range]:
    for start in range(first, stop, FIRST_FEATURES):
        yield range(start, min(stop, start + FIRST_FEATURES))


def _left_out(k: int, d: int) -> Iterator[str]:
    if k > MOST_COMPONENTS:
        yield f"{k - MOST_COMPONENTS:,} more components are in weights_ and means_. "
    if d > MOST_FEATURES:
        yield f"{d - MOST_FEATURES:,} more features are in means_."


class _Table:
    def __init__(self, mixture: Any, more_of_each: Column | None) -> None:
        self._mixture, self._more = mixture, more_of_each
        self._parameters: Parameters = mixture._parameters()
        self._means = mixture.means_in_data_units()
        self._names = feature_titles(mixture, self._means.shape[1])
        self._n = rows_that_count(getattr(mixture, "fitted_on_", None) or {})

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self._names)

    def part(self, numbers: Any, features: range, *, noise: bool = False) -> Html:
        """Return the table of some components and features."""
        more_of_each = [] if self._more is None else [self._more.name]
        counted = ["rows"] if np.isfinite(self._n) else []
        names = [self._names[j] for j in features]
        header = ["component", *more_of_each, "weight", *counted, *names]
        deviations = self._deviations(numbers)
        columns = [_spreads(self._means[numbers, j], deviations[:, j]) for j in features]
        rows = [[*self._head(int(k)), *cells] for k, *cells in zip(numbers, *columns, strict=True)]
        if noise and self._parameters.has_noise:
            share = float(self._mixture.noise_weight_)
            empty = [""] * (len(header) - 2 - len(more_of_each) - len(counted))
            own = [""] * len(more_of_each)
            rows.append(["noise (uniform)", *own, *self._share(share), *empty])
        width = "scale" if self._parameters.makes_room else "standard deviation"
        caption = f"Components: mean ± {width}, in the units of the data"
        return table(caption, header, rows, left=(1,) if more_of_each else ())

    def _head(self, k: int) -> list[str]:
        own = [] if self._more is None else [self._more.cells[k]]
        return [str(k), *own, *self._share(float(self._mixture.weights_[k]))]

    def _share(self, share: float) -> list[str]:
        weight = with_bar(f"{share:.4f}", share)
        return [weight, *([count(share * self._n)] if np.isfinite(self._n) else [])]

    def _deviations(self, numbers: Any) -> Array:
        """Return standard deviations of some components, (m, d), in the units of the data."""
        form, covariances = structure_of(self._parameters).precision, self._parameters.covariances
        k, d = self._parameters.means.shape
        if len(covariances) == k:
            covariances = covariances[numbers]
        coordinates = self._mixture._coordinates()
        if coordinates is None or coordinates.axes is None:
            scales = 1.0 if coordinates is None else coordinates.scales
            found = np.sqrt(form.diagonals(covariances, d)) * scales
        else:
            matrices = form.matrices(covariances, d)
            along = np.einsum("ji,mil,jl->mj", coordinates.axes, matrices, coordinates.axes)
            found = np.sqrt(np.maximum(along, 0.0)) * coordinates.scales
        return np.broadcast_to(found, (len(numbers), found.shape[-1]))


def feature_titles(mixture: Any, d: int) -> list[str]:
    """Return the names of the columns of X, with their units where these are known."""
    names = getattr(mixture, "feature_names_in_", None)
    names = [f"x{j}" for j in range(d)] if names is None else list(map(str, names))
    units = getattr(mixture, "feature_units_", None) or [None] * d
    return [f"{name} [{unit}]" if unit else name for name, unit in zip(names, units, strict=True)]


def count(rows: float) -> str:
    """Return an expected number of rows."""
    return f"{rows:,.0f}" if rows >= 100 else f"{rows:.3g}"


def _spreads(means: Array, deviations: Array) -> list[str]:
    """Return means of a column, with as many digits as two of the least deviation tell apart."""
    least, largest = float(deviations.min()), float(deviations.max())
    if not USUAL[0] < least <= largest < USUAL[1]:
        return [f"{m:.5g} ± {s:.2g}" for m, s in zip(means, deviations, strict=True)]
    decimals = max(0, 1 - math.floor(math.log10(least)))
    told = np.round(means, decimals) + 0.0  # of -0.0
    return [f"{m:,.{decimals}f} ± {s:,.{decimals}f}" for m, s in zip(told, deviations, strict=True)]
