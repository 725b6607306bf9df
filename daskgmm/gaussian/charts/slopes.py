"""Slopes of the log-likelihood beside the parameters of a chart, in its coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.charts.score_chart import SQRT_2, ScoreChart
from daskgmm.gaussian.covariance.algebra.precision import Charted
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters


@dataclass(frozen=True, eq=False)
class Beside:
    """A mixture beside that of a chart.

    Attributes
    ----------
    parameters : Parameters
    expected : ndarray of shape (k, p)
        What a row of each of its components has as its score of that component, on average; 0 for
        log odds.
    """

    parameters: Parameters
    expected: Array

    @classmethod
    def of(cls, chart: ScoreChart, step: Array) -> Beside:
        """Return the mixture a small step (P,) away."""
        own, d = chart.parameters, chart.parameters.n_features
        coordinates = np.asarray(chart.free @ step).reshape(own.n_components, -1)
        linear, scale = coordinates[:, 1 : 1 + d], coordinates[:, 1 + d :]
        precision, factors = structure_of(own).precision, own.precisions_cholesky
        assert isinstance(precision, Charted), "mixtures without have no score chart"
        shifts, quadratic, factors = _moved(chart, linear, scale)
        weights = np.exp(log_softmax(np.log(own.weights) + coordinates[:, 0]))
        means = own.means + precision.solve_ut(own.precisions_cholesky, shifts)
        covariances = precision.covariances(factors)
        parameters = Parameters(own.structure, weights, means, covariances, factors)
        none = np.zeros((own.n_components, 1))
        return cls(parameters, np.concatenate([none, shifts, quadratic], axis=1))

    def slope(self, chart: ScoreChart, moments: Moments) -> Array:
        r"""Return the score of rows there, shape (P,), from their moments under that mixture.

        As scores are :math:`\gamma_k (\phi - E_k \phi)` in natural parameters.
        """
        less = moments.counts[:, None] * self.expected
        less[:, 0] = moments.weight * self.parameters.weights
        return np.asarray(chart.of_moments([moments])[0] - chart.free.T @ less.ravel())


def _moved(chart: ScoreChart, linear: Array, scale: Array) -> tuple[Array, Array, Array]:
    """Return means (k, d) and expected scores (k, q) in a chart's z, and factors of precisions."""
    factors, d = chart.parameters.precisions_cholesky, chart.parameters.n_features
    if chart.detail == 2:
        kept = np.eye(d) - packed.unpack(scale * chart.norms, d)
        shifts = np.linalg.solve(kept, linear[..., None])[..., 0]
        second = np.linalg.inv(kept) + shifts[:, :, None] * shifts[:, None, :] - np.eye(d)
        return np.asarray(shifts), packed.pack(second) / chart.norms, factors @ _upper(kept)
    if chart.detail == 1:
        left = 1.0 - SQRT_2 * scale
        shifts = linear / left
        return shifts, (1.0 / left + shifts**2 - 1.0) / SQRT_2, factors * np.sqrt(left)
    left = 1.0 - np.sqrt(2.0 / d) * scale
    shifts = linear / left
    second = d * (1.0 / left - 1.0) + (shifts**2).sum(1, keepdims=True)
    root = np.sqrt(left).reshape(factors.shape)
    return shifts, second / np.sqrt(2.0 * d), factors * root


def _upper(matrices: Array) -> Array:
    """Return upper triangular U with U U^T = matrices (k, d, d)."""
    return np.asarray(np.linalg.cholesky(matrices[:, ::-1, ::-1])[:, ::-1, ::-1])
