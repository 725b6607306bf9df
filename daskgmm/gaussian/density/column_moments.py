"""Moments of components over columns of the data, singular ones too: what pictures are made of.

Nothing of (d, d) is made of a structure that has none; `data_units` makes mixtures of the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.low_rank.precision import parts
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters

ALONG_AXES = 1
"""Detail of covariances that are at most a variance for each feature."""


def column_covariances(
    parameters: Parameters, coordinates: Coordinates | None, columns: Sequence[int]
) -> Array:
    """Return the covariances of some columns in their units, shape (k, c, c).

    Of axes that were left out they lack the variance, so that their rank may be less than c.
    """
    chosen = np.asarray(columns, np.intp)
    # Columns are scales * axes @ features: rows of `maps` are the chosen ones.
    maps = _maps(parameters.n_features, coordinates, chosen)
    structure, d = structure_of(parameters), parameters.n_features
    if structure.precision.detail <= ALONG_AXES:
        variances = structure.precision.diagonals(parameters.covariances, d)
        found = np.einsum("cr,mr,er->mce", maps, variances, maps)
    elif isinstance(structure, LowRankStructure):
        loadings, noise = parts(parameters.covariances)
        seen = loadings @ maps.T
        found = seen.swapaxes(-1, -2) @ seen + np.einsum("cr,mr,er->mce", maps, noise, maps)
    else:
        found = maps @ structure.precision.matrices(parameters.covariances, d) @ maps.T
    return _for_each(found, parameters.n_components)


def column_variances(parameters: Parameters, coordinates: Coordinates | None) -> Array:
    """Return the variance of each column in its squared unit, shape (k, d)."""
    structure, d, k = structure_of(parameters), parameters.n_features, parameters.n_components
    scales = 1.0 if coordinates is None else coordinates.scales
    if coordinates is None or coordinates.axes is None:
        found = structure.precision.diagonals(parameters.covariances, d)
        return _for_each(found, k) * np.square(scales)
    axes = coordinates.axes
    if structure.precision.detail <= ALONG_AXES:
        found = structure.precision.diagonals(parameters.covariances, d) @ np.square(axes).T
    elif isinstance(structure, LowRankStructure):
        loadings, noise = parts(parameters.covariances)
        found = np.square(loadings @ axes.T).sum(axis=1) + noise @ np.square(axes).T
    else:
        matrices = structure.precision.matrices(parameters.covariances, d)
        found = np.stack([((axes @ matrix) * axes).sum(axis=1) for matrix in matrices])
    return _for_each(found, k) * np.square(scales)


def column_means(parameters: Parameters, coordinates: Coordinates | None) -> Array:
    """Return the means in the columns of the data, shape (k, d)."""
    return parameters.means if coordinates is None else coordinates.undo(parameters.means)


def _maps(d: int, coordinates: Coordinates | None, chosen: NDArray[np.intp]) -> Array:
    if coordinates is None or coordinates.axes is None:
        maps = np.zeros((len(chosen), d))
        maps[np.arange(len(chosen)), chosen] = 1.0
    else:
        maps = coordinates.axes[chosen]
    return maps if coordinates is None else maps * coordinates.scales[chosen, None]


def _for_each(values: Array, k: int) -> Array:
    return values if len(values) == k else np.repeat(values, k, axis=0)
