"""The cells of a truncated mixture, and the candidates of each, as a sample of the rows tells them.

Cells stay through a fit. Candidates are the components that the rows of a cell belong to most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.em.models.model import Model
from daskgmm.em.nested_clusters import ROWS_AN_ANCHOR, nested_clusters
from daskgmm.em.survey.sample import Sample
from daskgmm.em.survey.survey import Survey
from daskgmm.gaussian.coordinates import column_scales
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.softmax import exponentiate
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.truncation.anchors import grouped
from daskgmm.gaussian.truncation.cells import Cells
from daskgmm.gaussian.truncation.kernel import WholeKernel, evaluated

SPREAD = 64
"""Candidates of a cell over the components that are at home in it. 128 candidates of 1,000
components of width 1, with means of standard deviation 3 in 16 columns, left out 0.87 nats per row
with 8, 0.16 with 32, 0.05 with 64 and 0.01 with 128 at the true parameters; a fit from its own
start with 64 left out 1e-8. Time of a cell does not fall below 0.1 ms, however few its rows."""

LEAST_OF_A_CELL = 4
"""Rows of the sample for each cell at least, if there are places for all components then."""

ROWS_A_CELL, LEAST_ROWS = 32, 20_000
"""Rows of the sample for each cell, and in all, whose posteriors tell the candidates."""

SHORTLIST = 4
"""Components for each candidate that are the likeliest at the anchor of a cell: of these the
posteriors choose."""

TILE_ROWS = 128
"""Rows, or anchors, whose densities are computed at once."""


def n_cells(n_components: int, n_candidates: int) -> int:
    """Return the number of cells of a truncated mixture, at most."""
    return max(1, round(SPREAD * n_components / n_candidates))


def cells_about(
    sample: Sample, survey: Survey, n_components: int, n_candidates: int, random: Any
) -> Cells:
    """Return cells about the centres of clusters of a sample, with no candidates yet."""
    s = n_cells(n_components, n_candidates)
    scales = column_scales(survey.mean, survey.covariance)
    x, weights = thinned(sample, ROWS_AN_ANCHOR * s)
    # Of few rows there are fewer cells, but places for twice as many components as there are.
    enough = math.ceil(2 * n_components / n_candidates)
    s = min(s, max(enough, len(x) // LEAST_OF_A_CELL), len(x))
    anchors = nested_clusters((x - survey.mean) / scales, weights, s, random)
    return Cells(survey.mean, scales, anchors, np.empty((len(anchors), 0), np.int64))


def with_candidates(
    cells: Cells, sample: Sample, model: Model, parameters: Parameters, n_candidates: int
) -> Cells:
    """Return the cells with the candidates that the posteriors of a sample tell.

    Each component that has a weight is one somewhere, near its mean if in no other cell, as long as
    all cells have places for all components.
    """
    kernel = model.kernel(parameters)
    if not isinstance(kernel, WholeKernel):
        raise TypeError(f"A {type(kernel).__name__} has no candidates.")
    x, weights = thinned(sample, max(LEAST_ROWS, ROWS_A_CELL * len(cells.anchors)))
    own = np.ones(len(x)) if weights is None else weights
    rows = dict(grouped(cells.of_rows(x), len(cells.anchors)))
    ranked = np.empty((len(cells.anchors), n_candidates), np.int64)
    for cell, densities in _at_anchors(cells, kernel):
        most = min(SHORTLIST * n_candidates, len(densities))
        likeliest = np.sort(np.argpartition(-densities, most - 1)[:most])
        masses = np.zeros(most)
        if cell in rows:
            chosen = rows[cell]
            masses = _masses(kernel.part(likeliest), x[chosen], own[chosen])
        order = np.lexsort((-densities[likeliest], -masses))
        ranked[cell] = likeliest[order[:n_candidates]]
    points = (parameters.means - cells.origin) / cells.scales

    def cells_of(component: int) -> NDArray[np.intp]:
        distances = ((cells.anchors.points - points[component]) ** 2).sum(axis=1)
        return np.argsort(distances, kind="stable")

    lost = np.setdiff1d(np.flatnonzero(parameters.weights > 0), ranked)
    return replace(cells, candidates=np.sort(admitted(ranked, lost, cells_of), axis=1))


def admitted(
    ranked: NDArray[np.int64], lost: NDArray[np.intp], cells_of: Callable[[int], NDArray[np.intp]]
) -> NDArray[np.int64]:
    """Return candidates (s, m), each cell's best first, with components that are in no cell.

    Each takes the last place that a component of another cell too has, in the first of its cells
    with one: so none is lost for it.

    Parameters
    ----------
    ranked : ndarray of shape (s, m)
    lost : ndarray of int
        Components that are none of them.
    cells_of : callable
        Returns the cells of a component in the order in which it is to have a place there.
    """
    found = ranked.copy()
    present = np.bincount(found.ravel(), minlength=1 + lost.max(initial=-1))
    for component in lost.tolist():
        for cell in cells_of(component):
            others = np.flatnonzero(present[found[cell]] > 1)
            if len(others):
                present[found[cell, others[-1]]] -= 1
                found[cell, others[-1]] = component
                present[component] = 1
                break
    return found


def _at_anchors(cells: Cells, kernel: Kernel) -> Iterator[tuple[int, Array]]:
    """Yield the number of each cell and the log densities (k,) of components at its anchor."""
    points = cells.origin + cells.scales * cells.anchors.points
    for cells_of_tile, tile in evaluated(kernel, points, TILE_ROWS):
        yield from enumerate(tile.joint.T.copy(), cells_of_tile.start)


def thinned(sample: Sample, most: int) -> tuple[Array, Array | None]:
    """Return evenly spaced rows of a sample in float64, at most so many, and their weights."""
    step = math.ceil(len(sample.x) / most)
    weights = None if sample.weights is None else sample.weights[::step].astype(np.float64)
    return sample.x[::step].astype(np.float64), weights


def _masses(kernel: Kernel, x: Array, weights: Array) -> Array:
    """Return the weight that each component of a kernel has of rows, (k,)."""
    masses = np.zeros(kernel.shape[1])
    for rows, tile in evaluated(kernel, x, TILE_ROWS):
        exponentiate(tile.joint, tile.maximum, tile.total)
        masses += tile.joint @ (weights[rows] / tile.total)
    return masses
