"""An axis along which features lie, as depths do: where each is, and what is written there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from daskgmm.arrays import Array

OF_GRID = re.compile(r"(.+)\((.+)=(.+)\)")
"""Names that labelled data give: a variable at a point of a dimension, as temp(depth=10)."""

MOST_NAMED, LONGEST = 24, 22
"""Features that all have their names, and letters of a name that fit beside an axis."""


@dataclass(frozen=True, slots=True)
class FeatureAxis:
    """Places of features.

    Attributes
    ----------
    at : ndarray of shape (c,)
        Of all features: their coordinate if that is a number for each, else 0, 1, ...
    ticks : ndarray
        Where names are written; none where `at` is a scale of numbers.
    texts : list of str
    title : str
        What the coordinate is; nothing if names say it.
    variable : str
        What all features are values of.
    """

    at: Array
    ticks: Array
    texts: list[str]
    title: str
    variable: str

    @property
    def longest(self) -> int:
        """Letters of the longest text."""
        return max(map(len, self.texts), default=4)


def feature_axis(names: Sequence[str], title: str = "") -> FeatureAxis:
    """Return the axis of features of these names; `title` says what names are that do not."""
    found = [OF_GRID.fullmatch(name) for name in names]
    matched = [each.groups() for each in found if each is not None]
    alike = len(matched) == len(names) and len({each[:2] for each in matched}) == 1
    title, variable = (matched[0][1], matched[0][0]) if alike else (title, "value")
    texts = [each[2] for each in matched] if alike else list(names)
    numbers = _numbers(texts) if alike else None
    if numbers is not None:
        return FeatureAxis(numbers, np.empty(0), [], title, variable)
    step = -(-len(names) // MOST_NAMED)
    at = np.arange(len(names), dtype=np.float64)
    shown = [shortened(text) for text in texts[::step]]
    return FeatureAxis(at, at[::step], shown, title, variable)


def _numbers(texts: Sequence[str]) -> Array | None:
    """Return texts as numbers, if they are some in one order and of one sort of distances."""
    try:
        numbers = np.array([float(text) for text in texts])
    except ValueError:
        return None
    steps = np.diff(numbers)
    ordered = bool(np.isfinite(numbers).all() and ((steps > 0).all() or (steps < 0).all()))
    return numbers if ordered and len(numbers) > 1 else None


def shortened(name: str) -> str:
    """Return a name that fits beside an axis: its middle left out if it is long."""
    if len(name) <= LONGEST:
        return name
    half = (LONGEST - 1) // 2
    return f"{name[:half]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"
