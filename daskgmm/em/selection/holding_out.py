"""Held-out likelihood by cross-validation on the sample: it costs no pass over the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.em.settings import Settings
from daskgmm.em.starts.candidates import Candidate, Part, SomeRows
from daskgmm.em.starts.drawing import Draw
from daskgmm.gaussian.parameters import Parameters

LogDensities = Callable[[Parameters, NDArray[np.float64], NDArray[np.intp] | None], Array]
"""Returns log p(x), shape (m,), of rows that have their noise behind their features; of those with
labels (m,), but -1, the log joint density of the component."""


class Groups(Protocol):
    """What belongs together and is held out together, by the numbers of rows."""

    def __call__(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a number for the group of each of these rows."""

    @property
    def digest(self) -> str:
        """A digest of some of them, for a checkpoint."""


BLOCKS = 50
"""Blocks of consecutive rows that are held out as wholes: neighbours are alike."""

FOLDS = 5

FOLD_ITERATIONS = 10
"""Iterations for each fold: it starts at the optimum of all of them, a few rows away."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The mean log-likelihood of rows that a mixture has not seen, in nats per row.

    The standard error is that over blocks.
    """

    mean: float
    error: float


UNKNOWN = HeldOut(np.nan, np.nan)


def row_blocks(draw: Draw) -> NDArray[np.int64]:
    """Return the block of consecutive rows that each row of the sample is in."""
    place = np.empty(len(draw.index), np.int64)
    place[np.argsort(draw.index)] = np.arange(len(draw.index))
    return place * BLOCKS // max(1, len(place))


def held_out(
    draw: Draw,
    blocks: NDArray[np.int64],
    settings: Settings,
    candidate: Candidate,
    log_densities: LogDensities,
) -> HeldOut:
    """Return the held-out likelihood of a mixture that was fitted to the whole sample.

    Blocks go to folds in turn. For each fold the mixture is fitted to the others, from where
    it is, and each block of the fold counts once. It has so seen the fold at its start, which
    flatters mixtures of many parameters on few rows. With a single block, or where a component
    collapses on the other folds, there is no answer, but nan.

    Rows that miss values count with those that they have; a mixture that was fitted to filled ones
    goes on with these first.
    """
    names, position = np.unique(blocks, return_inverse=True)
    if len(names) < 2:
        return UNKNOWN
    folds = position % FOLDS
    _, counts = draw.part()
    x, labels, densities = draw.as_read, draw.beside.labels, np.empty(len(draw.x))
    given = draw.x if draw.gaps is None else x
    if draw.gaps is not None:
        some = SomeRows(given, counts, draw.beside, name="as read")
        whole = Part.of_rows(some, settings, draw)
        settled = whole.tried(candidate)
        if settled is None:
            return UNKNOWN
        candidate = settled
    for fold in range(min(FOLDS, len(names))):
        out = folds == fold
        beside = draw.beside.map(partial(np.compress, ~out, axis=0))
        some = SomeRows(given[~out], counts[~out], beside, name=np.packbits(out).tobytes())
        part = Part.of_rows(some, settings, draw, most=FOLD_ITERATIONS)
        fitted = part.tried(candidate)
        if fitted is None:
            return UNKNOWN
        known = None if labels is None else labels[out]
        densities[out] = log_densities(fitted.fit.step.parameters, x[out], known)
    totals = np.bincount(position, weights=counts)
    means = np.bincount(position, weights=counts * densities) / totals
    mean = float(totals @ means / totals.sum())
    shares = totals / totals.sum()
    with np.errstate(over="ignore"):
        variance = (shares**2 @ (means - mean) ** 2) * len(names) / max(1, len(names) - 1)
    error = float(np.sqrt(variance))
    return HeldOut(mean, error)
