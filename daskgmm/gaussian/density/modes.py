r"""Modes of a mixture: fixed points of modal EM from the means, finished by Newton's method.

.. math:: x \leftarrow \Big(\sum_k \gamma_k u_k P_k\Big)^{-1} \sum_k \gamma_k u_k P_k \mu_k

with the responsibilities at x and the precisions :math:`P_k`; u is 1 for Gaussians, and the
factor of `tails.student` for t components. No step lowers the density (Carreira-Perpinan 2000,
"Mode-finding for mixtures of Gaussian distributions", IEEE TPAMI 22, 1318-1323; Li, Ray & Lindsay
2007).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from daskgmm.arrays import Array
from daskgmm.counting import counted
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.density.data_units import with_moments
from daskgmm.gaussian.density.log_joint import log_joint, squared_distances
from daskgmm.gaussian.parameters import Parameters
from daskgmm.markup.carded import Carded, Grid, Sheet

MOST_STEPS = 10_000
"""Of modal EM from one mean; where two components are about to merge it is slow."""

CLOSE = 1e-3
"""Length of a step, in standard deviations of the components, from which Newton's method ends."""

STILL = 1e-12
"""Length of a step, in those units, that is none."""

NEWTON_STEPS = 20

MERGED = 1e-4
"""Distance, in standard deviations of the components, of ends that are one mode."""


@dataclass(frozen=True, slots=True)
class Modes(Carded):
    """Local maxima of a density, the highest first.

    Attributes
    ----------
    points : ndarray of shape (m, d)
    log_densities : ndarray of shape (m,)
        In nats.
    of_components : ndarray of int, shape (k,)
        Mode to which the mean of each component climbs.
    """

    points: Array
    log_densities: Array
    of_components: NDArray[np.int64]

    def _sheet(self) -> Sheet:
        found = zip(self.points, self.log_densities, strict=True)
        rows = [
            (
                str(place),
                f"{log_density:.6g}",
                ", ".join(f"{value:.5g}" for value in point),
                ", ".join(map(str, np.flatnonzero(self.of_components == place))),
            )
            for place, (point, log_density) in enumerate(found)
        ]
        header = ("mode", "log density, nats", "point", "components")
        title = f"{counted(len(rows), 'mode')} of {counted(len(self.of_components), 'component')}"
        return Sheet(title, grids=[Grid("The highest first", header, rows, left=(2, 3))])


@dataclass(frozen=True, slots=True)
class _Surface:
    """The log density of a mixture with its derivatives."""

    parameters: Parameters
    precisions: Array

    @classmethod
    def of(cls, parameters: Parameters) -> _Surface:
        d, factors = parameters.n_features, parameters.precisions_cholesky
        precisions = structure_of(parameters).precision.precision_matrices(factors, d)
        return cls(parameters, np.broadcast_to(precisions, (parameters.n_components, d, d)))

    def at(self, x: Array) -> tuple[float, Array, Array]:
        """Return log p(x), the responsibilities (k,), and the factors u (k,)."""
        distances = squared_distances(self.parameters, x[None])
        joint, nu = log_joint(self.parameters, distances)[:, 0], self.parameters.degrees
        d = self.parameters.n_features
        factors = np.ones(len(joint)) if nu is None else (nu + d) / (nu + distances[:, 0])
        return float(logsumexp(joint)), softmax(joint), factors

    def pull(self, x: Array) -> tuple[Array, Array, Array]:
        """Return the gradient of log p, (d,), the sum of gamma u P, and the Hessian, (d, d)."""
        _, gamma, factors = self.at(x)
        pulls = np.einsum("kij,kj->ki", self.precisions, self.parameters.means - x)
        pulls *= factors[:, None]
        gradient = gamma @ pulls
        held: Array = np.einsum("k,kij->ij", gamma * factors, self.precisions)
        outer = np.einsum("k,ki,kj->ij", gamma * self._spread(factors), pulls, pulls)
        return gradient, held, outer - held - np.outer(gradient, gradient)

    def _spread(self, factors: Array) -> Array:
        """Return what the squares of the pulls count in the Hessian: 1 of Gaussians."""
        nu = self.parameters.degrees
        if nu is None:
            return np.ones(len(factors))
        return 1.0 + 2.0 / (nu + self.parameters.n_features)


def modes(parameters: Parameters) -> Modes:
    """Return the local maxima that the means climb to; of those with a weight.

    Modes that no mean climbs to are not found: a mixture of Gaussians with different covariances
    may have more modes than components (Ray & Lindsay 2005).
    """
    plain = as_gaussians(parameters.without_noise())
    surface, scale = _Surface.of(plain), _narrowest(plain)
    ends: list[Array] = []
    heights: list[float] = []
    of_components = np.full(parameters.n_components, -1)
    for k in np.flatnonzero(parameters.weights > 0):
        end = _climb(surface, parameters.means[k], scale)
        near = [i for i, other in enumerate(ends) if scale(end - other) < MERGED]
        if not near:
            ends.append(end)
            heights.append(surface.at(end)[0])
        of_components[k] = near[0] if near else len(ends) - 1
    order = np.argsort(-np.array(heights), kind="stable")
    place = np.argsort(order)
    of_components = np.where(of_components < 0, -1, place[of_components])
    return Modes(np.stack(ends)[order], np.array(heights)[order], of_components)


def as_gaussians(parameters: Parameters) -> Parameters:
    """Return contaminated components as the pairs of Gaussians that they are; others as given."""
    clean, inflation = parameters.clean, parameters.inflation
    if clean is None or inflation is None:
        return parameters
    weights, matrices = parameters.weights, covariance_matrices(parameters)
    wide = inflation[:, None, None] * matrices
    pairs = replace(parameters, clean=None, inflation=None)
    pairs = replace(pairs, weights=np.concatenate([weights * clean, weights * (1.0 - clean)]))
    means = np.concatenate([parameters.means, parameters.means])
    return with_moments(pairs, "full", means, np.concatenate([matrices, wide]))


def _narrowest(parameters: Parameters) -> Callable[[Array], float]:
    """Return what measures a step in standard deviations of the narrowest component."""
    matrices = covariance_matrices(parameters)[parameters.weights > 0]
    deviations = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2)).min(axis=0)
    return lambda step: float(np.abs(step / deviations).max())


def _climb(surface: _Surface, start: Array, length: Callable[[Array], float]) -> Array:
    x = start
    for _ in range(MOST_STEPS):
        gradient, held, hessian = surface.pull(x)
        step = np.asarray(np.linalg.solve(held, gradient), np.float64)
        if length(step) < CLOSE and _is_maximum(hessian):
            found = _newton(surface, x, length)
            if found is not None:
                return found
        if length(step) < STILL:
            if _is_maximum(hessian):
                break
            # Modal EM stands still on a saddle, such as the middle of a symmetric mixture.
            across: Array = np.linalg.eigh(hessian)[1][:, -1]
            step = CLOSE * across / length(across)
        x = x + step
    return x


def _is_maximum(hessian: Array) -> bool:
    return bool(np.linalg.eigvalsh(hessian)[-1] < 0)


def _newton(surface: _Surface, x: Array, length: Callable[[Array], float]) -> Array | None:
    """Return the maximum near x; None if a step leads away from it, or downhill."""
    height = surface.at(x)[0]
    for _ in range(NEWTON_STEPS):
        gradient, _, hessian = surface.pull(x)
        step = np.asarray(np.linalg.solve(hessian, -gradient), np.float64)
        if not _is_maximum(hessian) or length(step) > 1.0:
            return None
        x = x + step
        if length(step) < STILL:
            break
    return x if surface.at(x)[0] >= height - 1e-12 * abs(height) else None
