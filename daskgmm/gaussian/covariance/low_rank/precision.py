r"""Covariances of low rank plus noise: :math:`\Sigma = W^T W + \Psi`, W of q rows, Psi diagonal.

No operation but those that return matrices makes one of (d, d). With :math:`y = \Psi^{-1/2} x` and
:math:`W \Psi^{-1/2} = \Lambda^{1/2} V`, V of orthonormal rows, the precision is the square of
:math:`(I - V^T (I - S) V) \Psi^{-1/2}` with :math:`S = (I + \Lambda)^{-1/2}`: along the rows of V
deviations are multiplied by S, and all others are kept. So distances are sums of squares, and
nothing cancels however small the noise is (Woodbury's formula subtracts).
"""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.blas import one_blas_thread
from daskgmm.gaussian.covariance.algebra.precision import Precision, SingularError, squared_norms
from daskgmm.gaussian.covariance.algebra.projections import is_projected
from daskgmm.gaussian.covariance.low_rank.factor_analysis import (
    factor_analysis,
    first_noise,
    principal_components,
    principal_factors,
    signed,
)

TINY = float(np.finfo(np.float64).tiny)

RIDGE = 1e-9
"""What makes a singular matrix invertible, in units of its mean variance."""

UNIT = 1e-8
"""By how much axes that a user gives may miss to be orthogonal, in units of the noise."""


class LowRank(Precision):
    r"""Loadings of q factors and a noise variance for each feature; arrays of shape (m, q + 1, d).

    Of covariances the last row is the noise, and the others are loadings times their length: all
    are in squared units, so that a multiple of the array is a multiple of the covariance. Factors
    are rows :math:`s_j v_j \Psi^{-1/2}` and a row :math:`\Psi^{-1/2}`; of precisions all are
    multiplied by their length, the last row entry by entry.
    """

    detail = 2
    requirement = "positive, with axes that are orthogonal in units of the noise"

    def __init__(self, q: int) -> None:
        self.q = q

    def shape(self, d: int) -> tuple[int, ...]:
        return (self.q + 1, d)

    def n_parameters(self, d: int) -> int:
        return d * self.q - self.q * (self.q - 1) // 2 + d

    def of_matrices(self, matrices: Array) -> Array:
        return np.stack([joined(*self._nearest(matrix)) for matrix in matrices])

    def _nearest(self, matrix: Array) -> tuple[Array, Array]:
        """Return loadings and noise, with a ridge for a matrix that is singular."""
        d = len(matrix)
        ridge = RIDGE * float(np.trace(matrix)) / d
        try:
            return self._of_matrix(matrix)
        except SingularError:
            if not 0 < ridge < np.inf:
                return np.zeros((self.q, d)), np.diagonal(matrix).copy()
            return self._of_matrix(matrix + ridge * np.eye(d))

    def _of_matrix(self, matrix: Array) -> tuple[Array, Array]:
        """Return the loadings and the noise that are most likely for a covariance matrix."""
        if is_projected(len(matrix), self.q):
            # Only a start, whose loadings are made orthogonal in units of the noise.
            (loadings,), (noise,) = parts(turned(*principal_factors(matrix, self.q))[None])
            return loadings, noise
        return factor_analysis(matrix, self.q, first_noise(matrix, self.q))

    def matrices(self, covariances: Array, d: int) -> Array:
        loadings, noise = parts(covariances)
        matrices: Array = loadings.swapaxes(-1, -2) @ loadings
        diagonal = np.arange(d)
        matrices[:, diagonal, diagonal] += noise
        return matrices

    def axes(self, covariances: Array) -> Axes:
        """Return the axes of covariances."""
        return Axes(self.factorise(covariances))

    def precision_matrices(self, factors: Array, d: int) -> Array:
        root = factors[:, -1]
        axes = Axes(factors)
        inner = np.eye(d) - axes.vectors.swapaxes(-1, -2) @ (
            (1.0 - axes.shrinkage**2)[:, :, None] * axes.vectors
        )
        matrices: Array = root[:, :, None] * inner * root[:, None, :]
        return matrices

    def diagonals(self, covariances: Array, d: int) -> Array:
        loadings, noise = parts(covariances)
        return np.asarray(noise + (loadings**2).sum(axis=1))

    @one_blas_thread()  # more of them round otherwise
    def factorise(self, covariances: Array) -> Array:
        loadings, noise = parts(covariances)
        good = (noise > 0).all(axis=1) & np.isfinite(covariances).all(axis=(1, 2))
        if not good.all():
            raise SingularError(int(np.argmin(good)))
        root = 1.0 / np.sqrt(noise)
        _, values, vectors = np.linalg.svd(loadings * root[:, None, :], full_matrices=False)
        shrinkage = 1.0 / np.sqrt(1.0 + values**2)
        axes = signed(vectors) * shrinkage[:, :, None] * root[:, None, :]
        return np.concatenate([axes, root[:, None, :]], axis=1)

    def factorise_precisions(self, precisions: Array) -> Array:
        axes = _unscaled(precisions[:, :-1])
        return np.concatenate([axes, np.sqrt(precisions[:, -1:])], axis=1)

    def are_positive(self, precisions: Array) -> bool:
        if not (precisions[:, -1] > 0).all():
            return False
        factors = self.factorise_precisions(precisions)
        vectors = factors[:, :-1] / factors[:, -1:]
        products = vectors @ vectors.swapaxes(-1, -2)
        squares = np.diagonal(products, axis1=-2, axis2=-1)
        apart = np.abs(products - np.eye(self.q) * squares[:, None, :])
        return bool(((squares > 0) & (squares <= 1 + UNIT)).all() and (apart <= UNIT).all())

    def precisions(self, factors: Array) -> Array:
        return np.concatenate([_scaled(factors[:, :-1]), factors[:, -1:] ** 2], axis=1)

    def covariances(self, factors: Array) -> Array:
        axes, noise = Axes(factors), factors[:, -1] ** -2
        loadings = np.sqrt(axes.excess)[:, :, None] * axes.vectors * np.sqrt(noise)[:, None, :]
        return joined(loadings, noise)

    def log_determinants(self, factors: Array, d: int) -> Array:
        logs = np.log(factors[:, -1]).sum(axis=-1)
        return np.asarray(logs + np.log(Axes(factors).shrinkage).sum(axis=-1))

    def traces(self, factors: Array, d: int) -> Array:
        return np.asarray(self.precision_diagonals(factors, d).sum(axis=-1))

    def precision_diagonals(self, factors: Array, d: int) -> Array:
        """Return the diagonals of the precisions, shape (m, d)."""
        axes = Axes(factors)
        taken = ((1.0 - axes.shrinkage**2)[:, :, None] * axes.vectors**2).sum(axis=1)
        return np.asarray(factors[:, -1] ** 2 * (1.0 - taken))

    def bilinear_bounds(self, factors: Array, *points: Array) -> list[Array]:
        # |P| is at most D + |B| |B|^T, and at least half of it in sums of this kind.
        root, axes = factors[:, -1], Axes(factors)
        bounds = []
        for at in map(np.abs, points):
            size = root * at
            along = np.einsum("kqi,ki->kq", np.abs(axes.vectors), np.broadcast_to(size, root.shape))
            taken = (1.0 - axes.shrinkage**2) * along**2
            bounds.append((size**2).sum(axis=-1) + taken.sum(axis=-1))
        return bounds

    def multiply_precision(self, factors: Array, vectors: Array) -> Array:
        root, axes = factors[:, -1], Axes(factors)
        return root * axes.scaled(root * vectors, axes.shrinkage**2)

    def squared_distances(self, difference: Array, factors: Array, index: int) -> Array:
        root, axes = factors[index, -1], Axes(factors[index : index + 1])
        vectors = axes.vectors[0]
        scaled = root[:, None] * difference
        along = vectors @ scaled
        scaled -= vectors.T @ along
        along *= axes.shrinkage[0][:, None]
        return squared_norms(scaled) + squared_norms(along)

    def multiply_ut(self, factors: Array, vectors: Array) -> Array:
        axes = Axes(factors)
        return axes.scaled(factors[:, -1] * vectors, axes.shrinkage)

    def multiply_u(self, factors: Array, vectors: Array) -> Array:
        axes = Axes(factors)
        return factors[:, -1] * axes.scaled(vectors, axes.shrinkage)

    def solve_ut(self, factors: Array, vectors: Array) -> Array:
        axes = Axes(factors)
        return axes.scaled(vectors, 1.0 / axes.shrinkage) / factors[:, -1]

    def solve_u(self, factors: Array, vectors: Array) -> Array:
        axes = Axes(factors)
        return axes.scaled(vectors / factors[:, -1], 1.0 / axes.shrinkage)

    def raised(self, covariances: Array, amount: float, index: int | None = None) -> Array:
        regular = covariances.copy()
        regular[slice(None) if index is None else index, -1] += amount
        return regular

    def halved(self, covariance: Array, d: int, part: float) -> tuple[Array, Array]:
        (loadings,), (noise,) = parts(covariance[None])
        longest = int(np.argmax((loadings**2).sum(axis=1)))
        direction = loadings[longest]
        square = float(direction @ direction)
        if square <= TINY:
            axis = np.zeros(d)
            axis[np.argmax(noise)] = part * np.sqrt(noise.max())
            return axis, covariance
        left = max(0.0, 1.0 - part**2)
        loadings[longest] = np.sqrt(left) * direction
        return part * direction, joined(loadings[None], noise[None])[0]

    def draw(self, mean: Array, covariance: Array, n: int, random: np.random.RandomState) -> Array:
        (loadings,), (noise,) = parts(covariance[None])
        factors = random.standard_normal(size=(n, self.q))
        drawn: Array = mean + factors @ loadings
        drawn += random.standard_normal(size=(n, len(mean))) * np.sqrt(noise)
        return drawn


class LowRankIsotropic(LowRank):
    """Loadings of q factors and one noise variance: principal components (Tipping & Bishop)."""

    def n_parameters(self, d: int) -> int:
        return d * self.q - self.q * (self.q - 1) // 2 + 1

    def _of_matrix(self, matrix: Array) -> tuple[Array, Array]:
        return principal_components(matrix, self.q)


class Axes:
    """The axes of factors: orthonormal rows V (m, q, d), S (m, q), and Psi^(-1/2) (m, d)."""

    def __init__(self, factors: Array) -> None:
        self.root: Array = factors[:, -1]
        vectors = factors[:, :-1] / factors[:, -1:]
        lengths = np.sqrt((vectors**2).sum(axis=-1))
        self.shrinkage: Array = np.minimum(lengths, 1.0)
        self.vectors: Array = vectors / np.maximum(lengths, TINY)[:, :, None]

    @property
    def excess(self) -> Array:
        """Variances along the axes beyond the noise, in its units, (m, q)."""
        return np.maximum(self.shrinkage**-2 - 1.0, 0.0)

    @property
    def projections(self) -> Array:
        """Rows b_j (m, q, d) with the precision P = D - sum_j b_j b_j^T, D the inverse noise."""
        lengths = np.sqrt(1.0 - self.shrinkage**2)[:, :, None]
        return np.asarray(lengths * self.vectors * self.root[:, None, :])

    def scaled(self, vectors: Array, factors: Array) -> Array:
        """Return vectors (k, d) with their parts along the axes times factors (m, q)."""
        along = np.einsum("kqi,ki->kq", self.vectors, vectors)
        scaled: Array = vectors + np.einsum("kqi,kq->ki", self.vectors, (factors - 1.0) * along)
        return scaled


def parts(covariances: Array) -> tuple[Array, Array]:
    """Return the loadings (m, q, d) and the noise variances (m, d) of covariances."""
    return _unscaled(covariances[:, :-1]), covariances[:, -1].copy()


def joined(loadings: Array, noise: Array) -> Array:
    """Return covariances of loadings (..., q, d) and noise variances (..., d)."""
    return np.concatenate([_scaled(loadings), noise[..., None, :]], axis=-2)


def turned(loadings: Array, noise: Array) -> Array:
    """Return covariances with loadings that are orthogonal in units of the noise, in order."""
    root = np.sqrt(noise)[..., None, :]
    _, values, vectors = np.linalg.svd(loadings / root, full_matrices=False)
    return joined(values[..., None] * signed(vectors) * root, noise)


def _scaled(rows: Array) -> Array:
    """Return rows times their lengths."""
    return np.asarray(rows * _lengths(rows))


def _unscaled(rows: Array) -> Array:
    """Return rows divided by the square roots of their lengths."""
    return np.asarray(rows / np.sqrt(np.maximum(_lengths(rows), TINY)))


def _lengths(rows: Array) -> Array:
    """Return the lengths of rows (..., d), (..., 1); squares of large variances overflow.

    A division by a power of 2 changes no digit.
    """
    _, exponents = np.frexp(np.abs(rows).max(axis=-1, keepdims=True))
    squares = np.ldexp(rows, -exponents) ** 2
    return np.asarray(np.ldexp(np.sqrt(squares.sum(axis=-1, keepdims=True)), exponents))
