r"""The E-step of rows that all have the same noise: plain EM on components widened by it.

With C the noise of each row, :math:`T = \Sigma + C` and :math:`A = \Sigma T^{-1}`, what is behind a
row is expected at :math:`A x + (I - A) \mu`: its moments are linear in those of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.structures import STRUCTURES, structure_of
from daskgmm.gaussian.deconvolution.known import as_matrix, is_diagonal
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.choice import TOLERANCE, natural_error
from daskgmm.gaussian.kernels.kernel import Kernel, Tile
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.kernels.workspace import Workspace
from daskgmm.gaussian.log_weights import log_weights
from daskgmm.gaussian.missing.conditional import ALONG_AXES, MATRICES, unstructured
from daskgmm.gaussian.missing.kernel import quadratic_entries
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.noise_terms import noise_terms
from daskgmm.gaussian.parameters import Parameters


def widened(parameters: Parameters, noise: Array, floor: float = 0.0) -> Parameters:
    r"""Return the densities of rows with this noise, (d,) or (d * d,), of those without.

    Log weights have the term of `reg_covar`, :math:`-\frac{\varepsilon}{2} \mathrm{tr}\,
    \Sigma_k^{-1}`, with `floor` its :math:`\varepsilon`.
    """
    whole, d = unstructured(parameters, structure_of(parameters)), parameters.n_features
    form = structure_of(whole).precision
    factors = whole.precisions_cholesky
    logarithms = log_weights(parameters) - noise_terms(form, factors, d, floor)
    if whole.structure == ALONG_AXES and is_diagonal(len(noise), d):
        name, covariances = ALONG_AXES, whole.covariances + noise
    else:
        name, covariances = MATRICES, form.matrices(whole.covariances, d) + as_matrix(noise, d)
    factors = STRUCTURES[name].precision.factorise(covariances)
    return Parameters(name, parameters.weights, parameters.means, covariances, factors, logarithms)


@dataclass(frozen=True)
class SharedNoiseKernel(Kernel):
    """A plain kernel of the rows as they are, and what makes moments of what is behind them.

    Attributes
    ----------
    plain : Kernel
        Of the `widened` densities.
    gain : ndarray of shape (k, d, d), or (k, d)
        A; its diagonal where all is along axes.
    at : ndarray of shape (k, d)
        What is behind a row at the reference point, beyond `gain`.
    left : ndarray of shape (k, d, d), or (k, d)
        Second moment that each row has beside: its covariance given the row, and that of `at`.
    """

    plain: Kernel
    gain: Array
    at: Array
    left: Array

    @classmethod
    def about(
        cls,
        parameters: Parameters,
        known: Array,
        center: Array,
        points: Array | None = None,
        noise: float = 0.0,
        *,
        natural: bool = False,
    ) -> SharedNoiseKernel:
        """Return the kernel whose moments are about points (k, d), by default the means.

        Moments of a natural one are about the centre (d,). `known` is the noise of the rows,
        `noise` that of `Kernel`, of `reg_covar`.
        """
        structure, (k, d) = structure_of(parameters), parameters.means.shape
        seen = widened(parameters, known, noise)
        if natural:
            points = np.broadcast_to(center, (k, d)).copy()
            plain: Kernel = NaturalKernel.of(seen, center)
        else:
            points, center = parameters.means if points is None else points, np.zeros(d)
            plain = WhitenedKernel.of(seen, points)
        gain, left = _given(parameters, known, matrices=seen.structure == MATRICES)
        offsets = parameters.means - points
        if seen.structure == MATRICES:
            at = offsets - (gain @ offsets[:, :, None])[:, :, 0]
            left = left + at[:, :, None] * at[:, None, :]
        else:
            at = offsets - gain * offsets
            left = left + at**2
        return cls(structure, center, points, plain, gain, at, left)

    @classmethod
    def choose(
        cls,
        parameters: Parameters,
        known: Array,
        center: Array,
        half_range: Array,
        noise: float = 0.0,
    ) -> SharedNoiseKernel:
        """Return the natural kernel if it is exact enough for components without noise.

        Those with it are wider, and so are their bounds.
        """
        natural = natural_error(parameters, center, half_range) < TOLERANCE
        return cls.about(parameters, known, center, noise=noise, natural=natural)

    @property
    def feature_rows(self) -> int:
        return self.plain.feature_rows

    @property
    def is_centred(self) -> bool:
        return self.plain.is_centred

    def with_classes(self, classes: NDArray[np.intp]) -> SharedNoiseKernel:
        """Return the kernel of rows with labels, which the plain one looks at."""
        return replace(self, plain=self.plain.with_classes(classes), classes=classes)

    def bind(self, work: Workspace, b: int) -> Tile:
        return self.plain.bind(work, b)

    def behind(self, found: Moments) -> Moments:
        """Return the moments of what is behind the rows, from those of the rows."""
        counts, d = found.counts, self.reference.shape[1]
        matrices = self.gain.ndim == 3
        if matrices:
            ahead = (self.gain @ found.first[:, :, None])[:, :, 0]
            second = self.gain @ packed.unpack(found.second, d) @ np.swapaxes(self.gain, 1, 2)
            across = ahead[:, :, None] * self.at[:, None, :]
            second += across + np.swapaxes(across, 1, 2) + counts[:, None, None] * self.left
        else:
            ahead = self.gain * found.first
            second = self.gain**2 * found.second + 2 * ahead * self.at
            second += counts[:, None] * self.left
        statistic, pooled = self.structure.statistic, None
        if statistic.pools:
            pooled, entries = second.sum(axis=0), np.empty((len(counts), 0))
        else:
            entries = quadratic_entries(second, self.structure, matrices)
        first = ahead + counts[:, None] * self.at
        sums = np.concatenate([counts[:, None], first, entries], axis=1).T
        return replace(found, sums=sums, reference=self.reference, pooled=pooled)


def _given(parameters: Parameters, known: Array, *, matrices: bool) -> tuple[Array, Array]:
    """Return A, and the covariances of what is behind a row, given the row.

    In units of each component, where no variance cancels: C' has the eigenvalues c, and what is
    left of a variance of 1 is c / (1 + c).
    """
    whole = unstructured(parameters, structure_of(parameters))
    factors, d = whole.precisions_cholesky, parameters.n_features
    if not matrices:
        scaled = factors**2 * known
        return 1.0 / (1.0 + scaled), scaled / (1.0 + scaled) / factors**2
    if whole.structure == ALONG_AXES:
        factors = factors[:, :, None] * np.eye(d)
    spread = np.linalg.inv(np.swapaxes(factors, 1, 2))
    values, vectors = np.linalg.eigh(np.swapaxes(factors, 1, 2) @ as_matrix(known, d) @ factors)
    values = np.maximum(values, 0.0)[:, None, :]
    axes = spread @ vectors
    gain = axes / (1.0 + values) @ np.swapaxes(vectors, 1, 2) @ np.swapaxes(factors, 1, 2)
    return gain, axes * (values / (1.0 + values)) @ np.swapaxes(axes, 1, 2)


def shared_noise_moments(
    backend: Backend,
    kernels: Sequence[SharedNoiseKernel],
    blocks: Iterator[Block],
    rows: int | None = None,
) -> list[Moments]:
    """Return the moments of all blocks under each of several mixtures, as `Backend.moments`."""
    bare = (replace(block, beside=replace(block.beside, noise=None)) for block in blocks)
    found = backend.moments([kernel.plain for kernel in kernels], bare, rows)
    return [kernel.behind(part) for kernel, part in zip(kernels, found, strict=True)]
