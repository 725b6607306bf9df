r"""Coordinates of structures that are narrower than their form, as equal volumes or low rank.

They are those of the form (`anchor`), where covariances of low rank are matrices, and of the
likeliest mixture of the structure: what coordinates stand for is brought into it as an M-step
brings the moments of rows.

In coordinates in which the complete data's Fisher information is the identity an M-step is, to
first order, the orthogonal projection of moments on the tangent space of the structure. So the EM
step is the gradient within the structure to first order, and stands for it: sums of EM steps stay
in the tangent space, and what a quasi-Newton step is off it changes nothing to first order. That
holds where rows fit the structure, and about where they do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.blas import one_blas_thread
from daskgmm.gaussian.charts.anchor import Anchor
from daskgmm.gaussian.charts.chart import EmSteps
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.algebra.precision import Charted
from daskgmm.gaussian.covariance.algebra.scatter import Scatter
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.m_step import IllDefinedError, estimate
from daskgmm.gaussian.parameters import Parameters

MATRICES = "full"
"""Structure in whose coordinates those are whose form has none."""


class StructuredAnchor(EmSteps):
    """Coordinates of mixtures of a structure about one of them.

    Parameters
    ----------
    parameters : Parameters
        The anchor; its weights are positive.

    Raises
    ------
    SingularError
        If a covariance has no factor as a matrix.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._structure = structure_of(parameters)
        self._last = covariances_of(parameters)
        self._anchor = Anchor(_in_form(parameters))

    def coordinates(self, parameters: Parameters) -> Array:
        """Return the coordinates of parameters of the same structure, k and d."""
        coordinates: Array = self.coordinates_of([parameters])[0]
        return coordinates

    @one_blas_thread()  # more of them round otherwise
    def coordinates_of(self, mixtures: Sequence[Parameters]) -> Array:
        """Return the coordinates of several mixtures, (n, q)."""
        return self._anchor.coordinates_of(mixtures, _in_form)

    @one_blas_thread()  # more of them round otherwise
    def parameters(self, coordinates: Array) -> Parameters | None:
        """Return the likeliest parameters of the structure for the moments at coordinates."""
        found = self._anchor.parameters(coordinates)
        if found is None:
            return None
        structure, weights, d = self._structure, found.weights, found.n_features
        counts = np.ones(1) if structure.shared else weights
        if isinstance(structure.precision, Charted):
            scatter = structure.scatter(found.covariances, counts, d)
        else:
            scatter = Scatter(counts, found.covariances, d)
        try:
            inside = estimate(
                structure, replace(scatter, means=found.means), 0.0, self._last, first=True
            )
        except IllDefinedError:
            return None
        means = structure.placed(found.means, weights, inside.covariances)
        return Parameters(structure.name, weights, means, inside.covariances, inside.factors)


def covariances_of(parameters: Parameters) -> Array:
    """Return the covariances of parameters that may have factors alone."""
    if parameters.covariances.size:
        return parameters.covariances
    return structure_of(parameters).precision.covariances(parameters.precisions_cholesky)


def _in_form(parameters: Parameters) -> Parameters:
    """Return the parameters in a form that has coordinates, with its factors."""
    precision = structure_of(parameters).precision
    if isinstance(precision, Charted):
        factors = parameters.precisions_cholesky
        if not factors.size:
            factors = precision.factorise(parameters.covariances)
        return replace(parameters, precisions_cholesky=factors)
    matrices = precision.matrices(covariances_of(parameters), parameters.n_features)
    return replace(
        parameters,
        structure=MATRICES,
        covariances=matrices,
        precisions_cholesky=Dense().factorise(matrices),
    )
