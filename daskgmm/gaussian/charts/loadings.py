r"""Coordinates of loadings and noise, of low rank among many features: no matrix (d, d).

With the anchor's loadings :math:`W^0` and noise :math:`\Psi^0` components have

    :math:`\sqrt{\pi^0_k} (R_k W_k - W^0_k) \Psi_0^{-1/2}` and
    :math:`\sqrt{\pi^0_k / 2} \log (\psi_k / \psi^0_k)`,

R the rotation of the factors that brings loadings nearest to the anchor's, as these leave it open.
At the anchor the Fisher information of rows with known factors of covariance 1 is the identity, and
these are the complete data of the M-step (`low_rank.factors`): so the EM step stands for the
gradient. Where components share loadings, these have the factors of covariance 1 over all
components, and factors are a mixture of q features with coordinates of its own (`anchor`).
"""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.blas import one_blas_thread
from daskgmm.gaussian.charts.anchor import LARGEST_SCALE, Anchor
from daskgmm.gaussian.charts.chart import EmSteps
from daskgmm.gaussian.charts.structured import MATRICES, covariances_of
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.low_rank.common_factors import CommonFactors
from daskgmm.gaussian.covariance.low_rank.common_likelihood import (
    LEAST_NOISE,
    most_likely_within,
)
from daskgmm.gaussian.covariance.low_rank.factor_analysis import least_noise
from daskgmm.gaussian.covariance.low_rank.factors import OwnFactors
from daskgmm.gaussian.covariance.low_rank.precision import parts, turned
from daskgmm.gaussian.covariance.low_rank.subspace import Subspace
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters

LEAST_LENGTH = 1e-150
"""Least deviation of factors along an axis: beyond, its square is 0."""


class OwnLoadings(EmSteps):
    """Coordinates of components with loadings and noise of their own.

    Parameters
    ----------
    parameters : Parameters
        The anchor; its weights are positive.
    """

    def __init__(self, parameters: Parameters) -> None:
        structure = structure_of(parameters)
        assert isinstance(structure, OwnFactors), "components have loadings of their own"
        self._at, self._structure, self._precision = parameters, structure, structure.precision
        self._loadings, self._noise = parts(covariances_of(parameters))
        self._roots = np.sqrt(parameters.weights)[:, None]

    @one_blas_thread()  # more of them round otherwise
    def coordinates(self, parameters: Parameters) -> Array:
        """Return the coordinates of parameters of the same structure, k and d."""
        at, roots = self._at, self._roots
        means = self._precision.multiply_ut(at.precisions_cholesky, parameters.means - at.means)
        loadings, noise = parts(covariances_of(parameters))
        moved = nearest(loadings, self._loadings, self._noise) - self._loadings
        moved /= np.sqrt(self._noise)[:, None, :]
        scales = roots * np.log(noise / self._noise) / np.sqrt(2.0)
        return np.concatenate(
            [
                roots[:, 0] * np.log(parameters.weights),
                *(roots * means),
                *(roots[:, :, None] * moved).reshape(len(roots), -1),
                *scales,
            ]
        )

    @one_blas_thread()  # more of them round otherwise
    def parameters(self, coordinates: Array) -> Parameters | None:
        """Return the parameters at coordinates; None beyond `LARGEST_SCALE` or at a weight of 0."""
        at, roots, precision = self._at, self._roots, self._precision
        (k, q, d), n = self._loadings.shape, coordinates.size
        logs, means, loadings, scales = np.split(coordinates, [k, k + k * d, n - k * d])
        weights = weights_of(logs / roots[:, 0])
        scales = scales.reshape(k, d) / roots * np.sqrt(2.0)
        if weights is None or not np.abs(scales).max() < LARGEST_SCALE:
            return None
        moved = loadings.reshape(k, q, d) / roots[:, :, None] * np.sqrt(self._noise)[:, None, :]
        loadings, noise = self._loadings + moved, self._noise * np.exp(scales)
        try:
            covariances = turned(loadings, self._raised(loadings, noise))
            factors = precision.factorise(covariances)
        except (SingularError, np.linalg.LinAlgError):
            return None
        means = precision.solve_ut(at.precisions_cholesky, means.reshape(k, d) / roots)
        return Parameters(at.structure, weights, at.means + means, covariances, factors)

    def _raised(self, loadings: Array, noise: Array) -> Array:
        """Return noise (k, d) that is no less than an M-step leaves it, or than the anchor's."""
        precision, covariances, d = self._precision, turned(loadings, noise), noise.shape[1]
        precisions = precision.precision_diagonals(precision.factorise(covariances), d)
        variances = precision.diagonals(covariances, d)
        least = np.minimum(least_noise(precisions, variances), self._noise)
        found = self._structure.noise_of(noise, variances, least)
        if not (found > 0).all():
            raise SingularError(int(np.argmin((found > 0).all(axis=1))))
        return found


class CommonLoadings(EmSteps):
    """Coordinates of components that share loadings and noise.

    Parameters
    ----------
    parameters : Parameters
        The anchor; its weights are positive.
    """

    def __init__(self, parameters: Parameters) -> None:
        structure = structure_of(parameters)
        assert isinstance(structure, CommonFactors), "components share loadings"
        self._structure = structure
        self._center, self._loadings, self._noise, factors = self._split(parameters)
        self._factors = Anchor(factors)

    @one_blas_thread()  # more of them round otherwise
    def _split(self, parameters: Parameters) -> tuple[Array, Array, Array, Parameters]:
        """Return centre (d,), loadings (q, d), noise (d,), and the mixture of factors."""
        covariances, weights = covariances_of(parameters), parameters.weights
        subspace = self._structure.subspace(covariances)
        center, within = weights @ parameters.means, subspace.within(covariances)
        latent = (parameters.means - center) * subspace.root @ subspace.vectors.T
        total = np.tensordot(weights, within, 1) + (weights * latent.T) @ latent
        values, vectors = np.linalg.eigh(total)
        lengths = np.sqrt(np.maximum(values, LEAST_LENGTH**2))
        root = (vectors * lengths) @ vectors.T
        inverse = (vectors / lengths) @ vectors.T
        covariances = inverse @ (within + np.eye(len(values))) @ inverse
        factors = Parameters(
            MATRICES, weights, latent @ inverse, covariances, Dense().factorise(covariances)
        )
        return center, root @ subspace.vectors / subspace.root, subspace.noise, factors

    @one_blas_thread()  # more of them round otherwise
    def coordinates(self, parameters: Parameters) -> Array:
        """Return the coordinates of parameters of the same structure, k and d."""
        center, loadings, noise, factors = self._split(parameters)
        turn = rotation(loadings, self._loadings, self._noise)
        covariances = turn @ factors.covariances @ turn.T
        factors = Parameters(
            MATRICES,
            factors.weights,
            factors.means @ turn.T,
            covariances,
            Dense().factorise(covariances),
        )
        roots = np.sqrt(self._noise)
        return np.concatenate(
            [
                self._factors.coordinates(factors),
                (center - self._center) / roots,
                ((turn @ loadings - self._loadings) / roots).ravel(),
                np.log(noise / self._noise) / np.sqrt(2.0),
            ]
        )

    @one_blas_thread()  # more of them round otherwise
    def parameters(self, coordinates: Array) -> Parameters | None:
        """Return the parameters at coordinates; None beyond `LARGEST_SCALE` or at a weight of 0."""
        (q, d), n, roots = self._loadings.shape, coordinates.size, np.sqrt(self._noise)
        own, center, loadings, scales = np.split(
            coordinates, [n - (q + 2) * d, n - (q + 1) * d, n - d]
        )
        scales = scales * np.sqrt(2.0)
        factors = self._factors.parameters(own)
        if factors is None or not np.abs(scales).max() < LARGEST_SCALE:
            return None
        moved = self._loadings + loadings.reshape(q, d) * roots
        noise, structure = self._noise * np.exp(scales), self._structure
        least = LEAST_NOISE * (noise + (moved**2).sum(axis=0))
        noise = np.maximum(noise, np.minimum(least, self._noise))
        try:
            left, lengths, vectors = np.linalg.svd(moved / np.sqrt(noise), full_matrices=False)
            along = left * lengths
            within = most_likely_within(along.T @ factors.covariances @ along)
            covariances = Subspace(vectors, noise).covariances(within)
            found = structure.precision.factorise(covariances)
        except (SingularError, np.linalg.LinAlgError):
            return None
        means = self._center + center * roots + factors.means @ moved
        return Parameters(structure.name, factors.weights, means, covariances, found)


def weights_of(logarithms: Array) -> Array | None:
    """Return the weights (k,) of logarithms, but for a constant; None if one is 0."""
    weights = np.exp(logarithms - logarithms.max())
    weights /= weights.sum()
    return weights if weights.min() > 0 else None


def rotation(loadings: Array, target: Array, noise: Array) -> Array:
    """Return rotations (..., q, q) of loadings nearest to a target in units of its noise."""
    left, _, right = np.linalg.svd(target / noise[..., None, :] @ loadings.swapaxes(-1, -2))
    return np.asarray(left @ right)


def nearest(loadings: Array, target: Array, noise: Array) -> Array:
    """Return loadings (..., q, d) rotated to be nearest to a target."""
    return np.asarray(rotation(loadings, target, noise) @ loadings)
