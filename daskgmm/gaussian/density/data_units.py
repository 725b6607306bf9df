"""A mixture over columns of the data: without coordinates, and of a plain structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.low_rank.precision import parts
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure
from daskgmm.gaussian.covariance.structures import STRUCTURES, structure_of
from daskgmm.gaussian.parameters import Parameters

ALONG_AXES = 1
"""Detail of covariances that are at most a variance for each feature."""


def over_columns(
    parameters: Parameters, coordinates: Coordinates | None, columns: Sequence[int]
) -> Parameters:
    """Return the marginal mixture over some columns of the data, in their units and order.

    The structure is "diag" if the given one is along the axes, "tied" if all components share one
    covariance, else "full"; tails stay. Raise `SingularError` for a singular covariance.

    Parameters
    ----------
    parameters : Parameters
    coordinates : Coordinates or None
        Of the parameters. Axes that were left out would leave covariances singular.
    columns : sequence of int
    """
    structure, chosen = structure_of(parameters), np.asarray(columns, np.intp)
    rotated = coordinates is not None and coordinates.axes is not None
    along_axes = structure.precision.detail <= ALONG_AXES and not rotated
    name = "diag" if along_axes else "tied" if structure.shared else "full"
    means = parameters.means
    if coordinates is not None and rotated:
        matrices = structure.precision.matrices(parameters.covariances, parameters.n_features)
        covariances = coordinates.undo_covariances(matrices)[:, chosen[:, None], chosen]
        means = coordinates.undo(means)
    else:
        scales = np.ones(means.shape[1]) if coordinates is None else coordinates.scales
        covariances = _block(parameters, chosen, along_axes=along_axes)
        own = scales[chosen]
        covariances = covariances * (own**2 if along_axes else np.outer(own, own))
        means = means if coordinates is None else coordinates.undo(means)
    return with_moments(parameters, name, means[:, chosen], covariances)


def with_moments(parameters: Parameters, name: str, means: Array, covariances: Array) -> Parameters:
    """Return parameters of a structure with other means and covariances; raise `SingularError`."""
    precision, m = STRUCTURES[name].precision, STRUCTURES[name].n_covariances(len(means))
    if len(covariances) < m:
        covariances = np.repeat(covariances, m, axis=0)
    covariances = np.ascontiguousarray(covariances)
    return replace(
        parameters,
        structure=name,
        means=np.ascontiguousarray(means),
        covariances=covariances,
        precisions_cholesky=precision.factorise(covariances),
    )


def _block(parameters: Parameters, chosen: NDArray[np.intp], *, along_axes: bool) -> Array:
    """Return covariances of some features, (m, c) along the axes, else (m, c, c)."""
    structure, d = structure_of(parameters), parameters.n_features
    if along_axes:
        return structure.precision.diagonals(parameters.covariances, d)[:, chosen]
    if isinstance(structure, LowRankStructure):  # no matrix of (d, d)
        loadings, noise = (each[..., chosen] for each in parts(parameters.covariances))
        return loadings.swapaxes(-1, -2) @ loadings + noise[:, :, None] * np.eye(len(chosen))
    matrices = structure.precision.matrices(parameters.covariances, d)
    block: Array = matrices[:, chosen[:, None], chosen]
    return block
