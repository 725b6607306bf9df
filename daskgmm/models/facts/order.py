"""The canonical order of components: a mixture is the same whichever comes first."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.em.acceleration.quasi_newton import Point
from daskgmm.em.acceleration.search import Search
from daskgmm.gaussian.parameters import Parameters

NUMBERED = ("alignment_", "clusters_", "merging_")
"""Attributes of a mixture that go by the numbers of its components: another order ends them."""


def canonical_order(weights: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the components (k,) from the largest weight to the smallest, ties by their means.

    Where weights are equal: ascending in the first feature, then the second, and so on. Equal
    components keep their places, so that the order of what is sorted is 0, 1, ..., k - 1.
    """
    # The last key counts most.
    return np.lexsort((*means.T[::-1], -weights))


def reordered(parameters: Parameters, order: NDArray[np.intp]) -> Parameters:
    """Return the same mixture with its components in this order."""

    def moved(values: NDArray[np.float64]) -> NDArray[np.float64]:
        # What components share, or is not kept, has another length; of one there is one order.
        return values[order] if len(values) == len(order) else values

    values = {field.name: getattr(parameters, field.name) for field in fields(parameters)}
    arrays: dict[str, Any] = {
        name: moved(value) for name, value in values.items() if isinstance(value, np.ndarray)
    }
    return replace(parameters, **arrays)


def reordered_search(search: Search, order: NDArray[np.intp]) -> Search:
    """Return what acceleration knows of the mixture with its components in this order."""

    def moved(point: Point) -> Point:
        return replace(
            point,
            parameters=reordered(point.parameters, order),
            image=reordered(point.image, order),
            shares=point.shares[:, order],
        )

    return replace(
        search,
        proposal=reordered(search.proposal, order),
        image=None if search.image is None else reordered(search.image, order),
        points=tuple(map(moved, search.points)),
        begun=None if search.begun is None else moved(search.begun),
    )
