"""Tests for back ends: subclass `BackendTests` and name one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.backends import BACKENDS
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.merging import covariance_matrices
from daskgmm.gaussian.parameters import Parameters
from daskgmm.testing.mixtures import random_mixture

Array = NDArray[np.float64]

K, D, N = 3, 4, 500


class BackendTests:
    """What holds for every back end: natural and whitened kernels of every structure.

    Attributes
    ----------
    name : str
        Of an entry of `BACKENDS`.
    backend : Backend
        That entry.
    """

    name: str
    backend: Backend

    def rows(self) -> Array:
        """Return rows that the mixtures of this class overlap on."""
        return 2 * np.random.default_rng(0).normal(size=(N, D))

    def test_it_is_in_the_table(self) -> None:
        """Dask's configuration names it, as `daskgmm.backend`."""
        assert BACKENDS[self.name] is self.backend

    def test_moments_are_weighted_sums(self) -> None:
        """Of each kernel alone, and of all in one call, by their definition."""
        rows, weights = self.rows(), np.random.default_rng(1).uniform(size=N)
        cases = list(_cases(rows))
        kernels = [kernel for _, kernel in cases]
        for w in (None, weights):
            together = self.backend.moments(kernels, iter([Block(rows, w)]))
            for (parameters, kernel), moments in zip(cases, together, strict=True):
                (alone,) = self.backend.moments([kernel], iter([Block(rows, w)]))
                gamma, total = _responsibilities(parameters, rows, w)
                for found in (alone, moments):
                    assert found.rows == N
                    assert_allclose(found.weight, N if w is None else w.sum(), rtol=1e-12)
                    assert_allclose(found.counts, gamma.sum(1), rtol=1e-8)
                    firsts = gamma @ rows - gamma.sum(1)[:, None] * kernel.reference
                    assert_allclose(found.first, firsts, rtol=1e-8, atol=1e-7)
                    if _leaves_the_shared_term_out(kernel):
                        continue
                    assert_allclose(found.log_likelihood, total, rtol=1e-10)
                    second = _second_moments(kernel, rows, gamma)
                    if found.pooled is None:
                        entries = kernel.structure.statistic.of_matrices(second)
                        assert_allclose(found.second, entries, rtol=1e-8, atol=1e-7)
                    else:
                        assert_allclose(found.pooled, second.sum(0), rtol=1e-8, atol=1e-7)

    def test_blocks_may_end_anywhere(self) -> None:
        """Moments are those of all rows in one block; what weighs nothing adds nothing."""
        rows, weights = self.rows(), np.random.default_rng(1).uniform(size=N)
        weights[::7] = 0.0
        wild = rows.copy()
        wild[::7] = 1e30
        for _, kernel in _cases(rows):
            (whole,) = self.backend.moments([kernel], iter([Block(rows, weights)]))
            for size in (1, 37, 499):
                blocks = (
                    Block(wild[first : first + size], weights[first : first + size])
                    for first in range(0, N, size)
                )
                (found,) = self.backend.moments([kernel], blocks, N)
                assert_allclose(found.sums, whole.sums, rtol=1e-9, atol=1e-8)
                assert_allclose(found.log_likelihood, whole.log_likelihood, rtol=1e-11)

    def test_densities_are_those_of_scipy(self) -> None:
        """Of the tiles that predictions are computed from."""
        rows = self.rows()
        for parameters, kernel in _cases(rows):
            with kernel.workspace(N) as work:
                tile = self.backend.tile(kernel, work, N)
                tile.rows[:] = (rows - kernel.center).T
                tile.log_joint()
                found = tile.joint + tile.shared_term()
                assert_allclose(found, _log_joint(parameters, rows), rtol=1e-9, atol=1e-9)


def _cases(rows: Array) -> Iterator[tuple[Parameters, Kernel]]:
    for structure in STRUCTURES.values():
        parameters = random_mixture(structure, K, D)
        yield parameters, NaturalKernel.of(parameters, rows.mean(0))
        yield parameters, WhitenedKernel.of(parameters)


def _leaves_the_shared_term_out(kernel: Kernel) -> bool:
    return isinstance(kernel, NaturalKernel) and kernel.structure.statistic.pools


def _log_joint(parameters: Parameters, rows: Array) -> Array:
    triples = zip(
        parameters.weights, parameters.means, covariance_matrices(parameters), strict=True
    )
    return np.array(
        [
            np.log(weight) + multivariate_normal(mean, covariance).logpdf(rows)
            for weight, mean, covariance in triples
        ]
    )


def _responsibilities(
    parameters: Parameters, rows: Array, weights: Array | None
) -> tuple[Array, float]:
    """Return responsibilities with the weights of rows in them, (k, n), and the likelihood."""
    joint, w = _log_joint(parameters, rows), np.ones(N) if weights is None else weights
    logs = logsumexp(joint, axis=0)
    return w * np.exp(joint - logs), float(w @ logs)


def _second_moments(kernel: Kernel, rows: Array, gamma: Array) -> Array:
    """Return the second moments about the points of a kernel, (k, d, d)."""
    differences = rows[None] - kernel.reference[:, None]
    return np.asarray(np.einsum("kn,kni,knj->kij", gamma, differences, differences), np.float64)
