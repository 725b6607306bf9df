r"""Conditional distributions: what a mixture says of some features, given the values of others.

Of a component, with the features in the order x, y and the Cholesky factor L of its covariance in
blocks,

.. math::
    y | x \sim N(\mu_y + B (x - \mu_x), L_{yy} L_{yy}^T), \quad B = L_{yx} L_{xx}^{-1}

which is positive definite by construction; the difference that is Schur's complement need not be.
Weights are the responsibilities of x (Bishop 2006, section 2.3.1; Sung 2004, "Gaussian mixture
regression and classification", Rice University).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import softmax

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.density.data_units import ALONG_AXES, over_columns, with_moments
from daskgmm.gaussian.density.log_joint import log_joint, squared_distances
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tails import tail_of


@dataclass(frozen=True, slots=True)
class Regressions:
    """The linear regression of each component, of t features on m others.

    Attributes
    ----------
    known : Parameters
        The marginal mixture of the m features.
    means : ndarray of shape (k, t)
        Those of the t features.
    slopes : ndarray of shape (k, t, m), or None
        B; None where it is 0, along the axes.
    covariances : ndarray
        Of what is left: (k, t) along the axes, else (k, t, t), or (1, t, t).
    """

    known: Parameters
    means: Array
    slopes: Array | None
    covariances: Array

    @classmethod
    def of(cls, joint: Parameters, given: Sequence[int], asked: Sequence[int]) -> Regressions:
        """Return the regressions of the asked features of a plain mixture on the given ones.

        Raises
        ------
        SingularError
            If a covariance is singular.
        """
        known, rest = over_columns(joint, None, given), over_columns(joint, None, asked)
        if structure_of(joint).precision.detail <= ALONG_AXES:
            return cls(known, rest.means, None, rest.covariances)
        order, m = np.array([*given, *asked], np.intp), len(given)
        lower = np.linalg.cholesky(joint.covariances[:, order[:, None], order])
        slopes = [
            solve_triangular(each[:m, :m], each[m:, :m].T, lower=True, trans="T").T
            for each in lower
        ]
        left = lower[:, m:, m:]
        covariances = left @ left.swapaxes(-1, -2)
        return cls(known, rest.means, np.stack(slopes), covariances)

    @property
    def variances(self) -> Array:
        """Variances of what is left in each component, (k, t); (1, t) if all share them."""
        if self.covariances.ndim == self.means.ndim:
            return self.covariances
        return np.diagonal(self.covariances, axis1=-2, axis2=-1)

    def component_means(self, k: int, points: Array) -> Array:
        """Return the conditional means of a component at points (m, b), shape (t, b)."""
        if self.slopes is None:
            return np.repeat(self.means[k][:, None], points.shape[1], axis=1)
        slopes = self.slopes[k if len(self.slopes) > 1 else 0]
        found: Array = slopes @ (points - self.known.means[k][:, None])
        found += self.means[k][:, None]
        return found

    def moments(self, points: Array, responsibilities: Array) -> tuple[Array, Array]:
        """Return the conditional means and variances at points, shape (t, b) each.

        The variance is that within components plus that between their means, summed by the
        updates of West (1979), in which nothing cancels.

        Parameters
        ----------
        points : ndarray of shape (m, b)
        responsibilities : ndarray of shape (k, b)
            Of the points under `known`; they sum to 1.
        """
        t, b = self.means.shape[1], points.shape[1]
        within, variances = self._factors(points), self.variances
        mean, variance, total = np.zeros((t, b)), np.zeros((t, b)), np.zeros(b)
        for k, weight in enumerate(responsibilities):
            kept = weight * total
            total += weight
            some = total > 0
            step = self.component_means(k, points) - mean
            mean += np.divide(weight, total, out=np.zeros(b), where=some) * step
            step *= step
            step *= np.divide(kept, total, out=np.zeros(b), where=some)
            variance += step
            own = weight if within is None else _product(weight, within[k])
            variance += variances[k if len(variances) > 1 else 0][:, None] * own
        return mean, variance

    def _factors(self, points: Array) -> Array | None:
        tail = tail_of(self.known)
        if tail is None:
            return None
        return tail.variance_factors(self.known, squared_distances(self.known, points.T))


def _product(weights: Array, factors: Array) -> Array:
    """Return the product, 0 where a weight is: factors may be infinite."""
    product = np.zeros(len(weights))
    np.multiply(weights, factors, out=product, where=weights > 0)
    return product


def conditional(
    joint: Parameters, given: Sequence[int], values: Array, rest: Sequence[int]
) -> Parameters:
    """Return the mixture of the other features, given the values (m,) of some.

    Parameters
    ----------
    joint : Parameters
        Of a structure as `over_columns` returns it.
    given, rest : sequence of int
        Features that are known, and all others, in the order that they are to have.
    values : ndarray of shape (m,)

    Raises
    ------
    SingularError
        If a covariance is singular.
    """
    found = Regressions.of(joint, given, rest)
    points = values[None]
    distances = squared_distances(found.known, points)
    weights = softmax(log_joint(found.known, distances)[:, 0])
    means = [found.component_means(k, points.T)[:, 0] for k in range(joint.n_components)]
    updated = replace(joint, weights=weights, log_weights=None)
    covariances, tail = found.covariances, tail_of(joint)
    if tail is None:
        return with_moments(updated, joint.structure, np.stack(means), covariances)
    updated, factors = tail.conditional(updated, found.known, distances[:, 0])
    scaled = covariances * factors.reshape(-1, *(1,) * (covariances.ndim - 1))
    name = joint.structure if len(scaled) == len(covariances) else "full"
    return with_moments(updated, name, np.stack(means), scaled)
