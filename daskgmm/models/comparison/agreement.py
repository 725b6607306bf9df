"""What two mixtures say of the same rows, from one streamed read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.companions import Companions
from daskgmm.em.survey.unsurveyed import map_unsurveyed
from daskgmm.em.survey.weighing import check_weights
from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block
from daskgmm.models.facts.rand_index import adjusted_rand
from daskgmm.models.inputs.rows import scoring_data
from daskgmm.models.predictions.made_outputs import wanted_outputs
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.passes.batches import Batch

OUTPUTS = ("label", "log_density")


@dataclass(frozen=True, eq=False)
class Agreement:
    r"""What two mixtures, A and B, say of the same rows.

    Attributes
    ----------
    rows : int
        Rows of positive weight that both mixtures have a density of.
    missing : int
        Rows that one of them leaves out, as they miss a value.
    log_likelihoods : tuple of float
        Means of log p(x) under A and B, in nats per row, of densities in the units of the data; nan
        where the mixtures lie in different principal axes, whose densities do not compare.
    difference : float
        Mean over rows of log p(x) under B less that under A: positive where B tells more.
    standard_error : float
        Of `difference`, from the differences of the rows, which are taken as independent.
    confusion : ndarray of int, shape (k_A + 1, k_B + 1)
        Rows by their most probable component: entry (i, j) has label i of A and j of B. The last
        row and column are outliers, of mixtures with ``noise=True``.
    adjusted_rand : float
        Agreement of the labels, whatever their numbers: 1 if they are the same partition, about 0
        if they have nothing to do with each other [1]_.

    References
    ----------
    .. [1] L. Hubert, P. Arabie, "Comparing partitions", Journal of Classification 2 (1985) 193-218,
       https://doi.org/10.1007/BF01908075
    """

    rows: int
    missing: int
    log_likelihoods: tuple[float, float]
    difference: float
    standard_error: float
    confusion: NDArray[np.int64]
    adjusted_rand: float


@dataclass(frozen=True, eq=False)
class Part:
    """Sums over some rows.

    Attributes
    ----------
    rows, missing : int
    heaviest : float
        The largest weight; weights are in units of it, as their squares may be too large or small.
    likelihoods : ndarray of shape (2,)
        Weighted sums of log p(x).
    centre : float
        A value near the differences, which is subtracted from them: so their squares keep digits
        that a large mean would cost.
    moments : ndarray of shape (5,)
        Sums of w, w times the difference, and w^2 times its powers 0, 1 and 2.
    confusion : ndarray of int
    """

    rows: int
    missing: int
    heaviest: float
    likelihoods: Array
    centre: float
    moments: Array
    confusion: NDArray[np.int64]

    def __add__(self, other: Part) -> Part:
        heaviest = max(self.heaviest, other.heaviest)
        ours, theirs = (each.heaviest / heaviest if heaviest else 0.0 for each in (self, other))
        centre = self.centre if self.rows else other.centre
        return Part(
            self.rows + other.rows,
            self.missing + other.missing,
            heaviest,
            ours * self.likelihoods + theirs * other.likelihoods,
            centre,
            self._moments(ours, centre) + other._moments(theirs, centre),
            self.confusion + other.confusion,
        )

    def _moments(self, scale: float, centre: float) -> Array:
        """Return the moments of weights times `scale`, about another centre."""
        by, (w, first, none, one, two) = self.centre - centre, self.moments
        squares = [none, one + by * none, two + by * (2 * one + by * none)]
        return np.array([scale * w, scale * (first + by * w), *(scale**2 * s for s in squares)])


def agreement(a: Any, b: Any, x: Any, sample_weight: Any) -> Agreement:
    """Return what fitted mixtures say of rows; see `daskgmm.compare`."""
    rows, weights = scoring_data(a, x, sample_weight)
    predictors: tuple[Predictor, Predictor] = (a._predictor(), b._predictor())
    units = _log_units(*predictors)
    work = partial(_part, predictors, (0.0, 0.0) if units is None else units)
    data = predictors[0].dataset(rows, Companions(weights))
    parts = map_unsurveyed(data, work, "daskgmm_compare")
    with np.errstate(over="ignore", invalid="ignore"):  # of squares, which make the error inf
        found = sum(parts, _nothing(predictors))
    if not found.rows:
        raise DataError(
            "X has no rows of positive weight that both mixtures have a density of. Give at least "
            "one."
        )
    difference, error = _mean_and_error(found)
    means = found.likelihoods / found.moments[0]
    compare = units is not None
    return Agreement(
        rows=found.rows,
        missing=found.missing,
        log_likelihoods=(float(means[0]), float(means[1])) if compare else (math.nan, math.nan),
        difference=difference if compare else math.nan,
        standard_error=error if compare else math.nan,
        confusion=found.confusion,
        adjusted_rand=adjusted_rand(found.confusion),
    )


def _mean_and_error(found: Part) -> tuple[float, float]:
    """Return the mean of the differences, and its standard error."""
    total, first, *squares = found.moments
    beyond = first / total
    with np.errstate(over="ignore", invalid="ignore"):
        # Squares of w (delta - difference), expanded.
        spread = squares[2] - 2 * beyond * squares[1] + beyond**2 * squares[0]
    error = math.nan
    if found.rows > 1:
        error = math.sqrt(max(spread, 0.0) * found.rows / (found.rows - 1)) / total
    return float(found.centre + beyond), float(error)


def _log_units(a: Predictor, b: Predictor) -> tuple[float, float] | None:
    """Return what makes log densities of both those of data units; None where nothing does.

    Of mixtures in the same few principal axes these are the units.
    """
    ours, theirs = a.transform.coordinates, b.transform.coordinates
    if all(each.n_columns == each.parameters.n_features for each in (a, b)):
        logs = [0.0 if c is None else -float(np.log(c.scales).sum()) for c in (ours, theirs)]
        return logs[0], logs[1]
    if ours is None or theirs is None or ours.n_features != theirs.n_features:
        return None
    arrays = [(each.origin, each.scales, each.axes) for each in (ours, theirs)]
    pairs = zip(*arrays, strict=True)
    return (0.0, 0.0) if all(_equal(p, q) for p, q in pairs) else None


def _equal(p: Array | None, q: Array | None) -> bool:
    return p is q if p is None or q is None else np.array_equal(p, q)


def _nothing(predictors: tuple[Predictor, Predictor]) -> Part:
    shape = tuple(each.parameters.n_components + 1 for each in predictors)
    return Part(0, 0, 0.0, np.zeros(2), 0.0, np.zeros(5), np.zeros(shape, np.int64))


def _part(
    predictors: tuple[Predictor, Predictor],
    units: tuple[float, float],
    batch: Batch,
    blocks: Iterator[Block],
) -> Part:
    found, before = _nothing(predictors), 0
    outputs = [wanted_outputs(each, OUTPUTS, "float64", None) for each in predictors]
    for block in blocks:
        place = Place.of(batch).after(before)
        weights = np.ones(len(block.x))
        if block.weights is not None:
            check_weights(block.weights, place)
            weights = block.weights.astype(np.float64)
        made = [
            asked.predict(each, block.x, place)
            for asked, each in zip(outputs, predictors, strict=True)
        ]
        found += _of_block(predictors, made, units, weights)
        before += len(block.x)
    return found


def _of_block(
    predictors: tuple[Predictor, Predictor],
    made: list[dict[str, NDArray[Any]]],
    units: tuple[float, float],
    weights: Array,
) -> Part:
    logs = np.stack([one["log_density"] + unit for one, unit in zip(made, units, strict=True)])
    there = weights > 0
    whole = there & ~np.isnan(logs).any(axis=0)
    logs, weights = logs[:, whole], weights[whole]
    heaviest = float(weights.max(initial=0.0))
    if heaviest:
        weights = weights / heaviest
    delta, squares = logs[1] - logs[0], weights**2
    centre = float(weights @ delta / weights.sum()) if heaviest else 0.0
    delta -= centre
    moments = [weights.sum(), weights @ delta, squares.sum(), squares @ delta]
    with np.errstate(over="ignore"):
        moments.append(squares @ delta**2)
    sizes = [each.parameters.n_components + 1 for each in predictors]
    # The label of outliers is -1, and so the last place.
    places = [one["label"][whole] % size for one, size in zip(made, sizes, strict=True)]
    counts = np.bincount(places[0] * sizes[1] + places[1], minlength=sizes[0] * sizes[1])
    return Part(
        int(whole.sum()),
        int(there.sum() - whole.sum()),
        heaviest,
        logs @ weights,
        centre,
        np.array(moments),
        counts.reshape(sizes).astype(np.int64),
    )
