"""Scores of single rows in the coordinates of a `ScoreChart`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.conditionals import Conditionals, Conditioning
from daskgmm.gaussian.charts.score_chart import SQRT_2, ScoreChart
from daskgmm.gaussian.kernels.barring import Barring
from daskgmm.gaussian.kernels.softmax import exponentiate


def scores_of_rows(chart: ScoreChart, conditioning: Conditioning, block: Block) -> Array:
    """Return the scores of the rows of a block, shape (P, b); less what all weights share."""
    found = np.empty((chart.n_parameters, len(block.x)))
    for first in range(0, len(block.x), conditioning.tile_rows):
        rows = slice(first, first + conditioning.tile_rows)
        tile = block.part(rows)
        given = conditioning(tile)
        gamma = responsibilities(chart, given, tile.beside.labels)
        join(chart, gamma, features_of(chart, given), found[:, rows])
    return found


def responsibilities(
    chart: ScoreChart, given: Conditionals, labels: NDArray[np.intp] | None
) -> Array:
    """Return responsibilities (k, b) of rows; those with a label are of one component.

    `labels` (b,) are numbers of components, or -1 where unknown. Those of a uniform component come
    last, (k + 1, b).
    """
    gamma = np.empty((chart.n_columns, given.joint.shape[1]))
    gamma[: len(given.joint)] = given.joint
    if chart.outliers is not None:
        gamma[-1] = chart.outliers[1]
    if labels is not None:
        Barring(chart.classes).bar(gamma, labels)
    maximum, total = np.empty(gamma.shape[1]), np.empty(gamma.shape[1])
    exponentiate(gamma, maximum, total)
    gamma /= total
    return gamma


def features_of(chart: ScoreChart, given: Conditionals) -> list[Array]:
    """Return the scores of each component for rows that are its own, k arrays of shape (p, b).

    Those of a uniform component come last.
    """
    pairs = zip(given.means, given.excess, strict=True)
    found = [_features(chart, z, excess) for z, excess in pairs]
    if chart.outliers is not None:
        found.append(np.zeros((chart.size, given.joint.shape[1])))
        found[-1][0] = 1.0
    return found


def _features(chart: ScoreChart, z: Array, excess: Array) -> Array:
    d, b = z.shape
    found = np.empty((chart.size, b))
    found[0], found[1 : 1 + d] = 1.0, z
    if chart.detail == 2:
        doubled = np.concatenate([z, z[: d // 2]])
        for first in range(0, packed.size(d), d):  # all products of one lag
            lag, stop = first // d, min(d, packed.size(d) - first)
            own = found[1 + d + first : 1 + d + first + stop]
            np.multiply(z[:stop], doubled[lag : lag + stop], out=own)
        found[1 + d :] += excess
        found[1 + d : 1 + 2 * d] /= SQRT_2  # squares come first
    elif chart.detail == 1:
        found[1 + d :] = (z**2 + excess) / SQRT_2
    else:
        found[1 + d :] = ((z**2).sum(0) + excess.sum(0)) / np.sqrt(2.0 * d)
    return found


def join(chart: ScoreChart, gamma: Array, features: Sequence[Array], out: Array) -> None:
    """Write the scores of rows, (P, b), with the scores of each component of its own rows.

    It is the product of `chart.free` and all of these, without its zeros.
    """
    (k, d), size = chart.parameters.means.shape, chart.size
    np.matmul(chart.odds[:, : chart.n_weights].T, gamma, out=out[: chart.n_weights])
    scaled = gamma[:k] / np.sqrt(chart.parameters.weights)[:, None]
    linear = out[chart.n_weights : chart.n_weights + k * d].reshape(k, d, -1)
    quadratic = out[chart.n_weights + k * d :]
    is_shared = len(quadratic) < k * (size - 1 - d)
    if is_shared:
        quadratic[:] = 0.0
    for component, own in enumerate(features[:k]):
        np.multiply(own[1 : 1 + d], scaled[component], out=linear[component])
        if is_shared:
            quadratic += own[1 + d :] * gamma[component]
        else:
            part = quadratic.reshape(k, size - 1 - d, -1)[component]
            np.multiply(own[1 + d :], scaled[component], out=part)
