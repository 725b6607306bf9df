"""Conformance tests for back ends."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.special import logsumexp

from daskgmm.arrays import Array
from daskgmm.companions import Companions
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.backends import BACKENDS
from daskgmm.gaussian.kernels.factors import FactorKernel
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.prediction import Prediction, Targets
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.testing.mixtures import log_joint, random_mixture

K, D, N = 3, 4, 500

MANY = 70
"""Number of features of which moments are projected."""


class BackendTests:
    """Tests of a back end, with all kernels of every structure.

    Attributes
    ----------
    name : str
        Key of an entry of `BACKENDS`.
    backend : Backend
        The entry.
    """

    name: str
    backend: Backend

    def rows(self) -> Array:
        """Return rows in the region where the components overlap."""
        return 2 * np.random.default_rng(0).normal(size=(N, D))

    def test_it_is_in_the_table(self) -> None:
        """The setting `daskgmm.backend` of Dask's configuration finds it there."""
        assert BACKENDS[self.name] is self.backend

    def test_moments_are_weighted_sums(self) -> None:
        """Moments agree with their definition, for one kernel and for all in one call."""
        rows, weights = self.rows(), np.random.default_rng(1).uniform(size=N)
        self._check_moments(rows, weights, list(_cases(rows)))

    def test_moments_may_be_projected(self) -> None:
        """Moments of kernels of many features and few factors are sums along their axes."""
        rows = 2 * np.random.default_rng(0).normal(size=(N, MANY))
        weights, cases = np.random.default_rng(1).uniform(size=N), []
        for name in ("ppca-3", "factor-2"):
            parameters = random_mixture(STRUCTURES[name], K, MANY)
            cases += [
                (parameters, FactorKernel.of(parameters, rows.mean(0))),
                (parameters, WhitenedKernel.of(parameters)),
            ]
        self._check_moments(rows, weights, cases)

    def _check_moments(
        self, rows: Array, weights: Array, cases: list[tuple[Parameters, Kernel]]
    ) -> None:
        kernels = [kernel for _, kernel in cases]
        for w in (None, weights):
            together = self.backend.moments(kernels, iter([Block(rows, Companions(w))]))
            for (parameters, kernel), of_all in zip(cases, together, strict=True):
                (alone,) = self.backend.moments([kernel], iter([Block(rows, Companions(w))]))
                gamma, total = _responsibilities(parameters, rows, w)
                for moments in (alone, of_all):
                    assert moments.rows == N
                    assert_allclose(moments.weight, N if w is None else w.sum(), rtol=1e-12)
                    assert_allclose(moments.counts, gamma.sum(1), rtol=1e-8)
                    first = gamma @ rows - gamma.sum(1)[:, None] * kernel.reference
                    assert_allclose(moments.first, first, rtol=1e-8, atol=1e-7)
                    if _leaves_the_shared_term_out(kernel):
                        continue
                    assert_allclose(moments.log_likelihood, total, rtol=1e-10)
                    second = _second_moments(kernel, rows, gamma)
                    if moments.pooled is None:
                        entries = _entries(kernel, second)
                        assert_allclose(moments.second, entries, rtol=1e-8, atol=1e-7)
                    else:
                        assert_allclose(moments.pooled, second.sum(0), rtol=1e-8, atol=1e-7)

    def test_labels_bar_components_of_other_classes(self) -> None:
        """A row of known class has responsibilities within its components, if labels are taken."""
        if not self.backend.takes_labels:
            return
        rows, classes = self.rows(), np.array([0, 1, 1])
        labels = np.random.default_rng(2).integers(-1, 2, size=N)
        block = Block(rows, Companions(labels=labels))
        cases = [(each, kernel.with_classes(classes)) for each, kernel in _cases(rows)]
        together = self.backend.moments([kernel for _, kernel in cases], iter([block]))
        for (parameters, kernel), of_all in zip(cases, together, strict=True):
            joint = log_joint(parameters, rows)
            joint[(labels >= 0) & (labels != classes[:, None])] = -np.inf
            logs = logsumexp(joint, axis=0)
            gamma = np.exp(joint - logs)
            for moments in (self._moments_of(kernel, [block]), of_all):
                assert_allclose(moments.counts, gamma.sum(1), rtol=1e-8)
                first = gamma @ rows - gamma.sum(1)[:, None] * kernel.reference
                assert_allclose(moments.first, first, rtol=1e-8, atol=1e-7)
                if not _leaves_the_shared_term_out(kernel):
                    assert_allclose(moments.log_likelihood, logs.sum(), rtol=1e-10)

    def test_blocks_may_end_anywhere(self) -> None:
        """Moments are those of all rows in one block; rows of weight 0 add nothing."""
        rows, weights = self.rows(), np.random.default_rng(1).uniform(size=N)
        weights[::7] = 0.0
        wild = rows.copy()
        wild[::7] = 1e30
        for _, kernel in _cases(rows):
            (whole,) = self.backend.moments([kernel], iter([Block(rows, Companions(weights))]))
            for ends in ((1, 2, 3, 5, 8, 13, 40), range(37, N, 37), (N - 1,)):
                blocks = (
                    Block(wild[first:stop], Companions(weights[first:stop]))
                    for first, stop in itertools.pairwise((0, *ends, N))
                )
                (moments,) = self.backend.moments([kernel], blocks, N)
                assert_allclose(moments.sums, whole.sums, rtol=1e-9, atol=1e-8)
                assert_allclose(moments.log_likelihood, whole.log_likelihood, rtol=1e-11)

    def test_parts_of_a_block_have_their_own_moments(self) -> None:
        """As if each were a block by itself, to the bit."""
        rows, weights = self.rows(), np.random.default_rng(1).uniform(size=N)
        starts = [0, 1, 2, 40, N // 2, N - 1]
        for _, kernel in _cases(rows):
            for beside in (Companions(), Companions(weights)):
                block = Block(rows, beside)
                found = self.backend.moments_of_parts(kernel, block, starts)
                edges = itertools.pairwise([*starts, N])
                for moments, (first, stop) in zip(found, edges, strict=True):
                    alone = self._moments_of(kernel, [block.part(slice(first, stop))])
                    assert_array_equal(moments.sums, alone.sums)
                    assert moments.log_likelihood == alone.log_likelihood
                    assert (moments.weight, moments.rows) == (alone.weight, alone.rows)

    def test_blocks_may_be_of_any_kind(self) -> None:
        """Numbers of any type, no rows, fewer rows than were announced; all rows are counted."""
        whole = np.rint(self.rows())
        weights = np.arange(N) % 3.0
        for _, kernel in _cases(whole):
            expected = self._moments_of(kernel, [Block(whole, Companions(weights))])
            for dtype in (np.float32, np.int16):
                moments = self._moments_of(
                    kernel, [Block(whole.astype(dtype), Companions(weights))]
                )
                assert_allclose(moments.sums, expected.sums, rtol=1e-9, atol=1e-8)
            empty = Block(whole[:0], Companions(weights[:0]))
            moments = self._moments_of(
                kernel, [empty, Block(whole, Companions(weights)), empty], 2 * N
            )
            assert_allclose(moments.sums, expected.sums, rtol=1e-9, atol=1e-8)
            assert moments.rows == N
            for blocks in ([], [empty]):
                nothing = self._moments_of(kernel, blocks)
                assert (nothing.rows, nothing.weight, nothing.log_likelihood) == (0, 0.0, 0.0)
                assert not nothing.sums.any()

    def test_it_travels(self) -> None:
        """A pass sends its back end to workers."""
        rows = self.rows()
        there = pickle.loads(pickle.dumps(self.backend))
        for _, kernel in _cases(rows):
            (moments,) = there.moments([kernel], iter([Block(rows)]))
            assert_array_equal(moments.sums, self._moments_of(kernel, [Block(rows)]).sums)

    def _moments_of(
        self, kernel: Kernel, blocks: Sequence[Block], rows: int | None = None
    ) -> Moments:
        (moments,) = self.backend.moments([kernel], iter(blocks), rows)
        return moments

    def test_densities_are_those_of_scipy(self) -> None:
        """Tiles, as predictions use them, have the densities of SciPy."""
        rows = self.rows()
        for parameters, kernel in _cases(rows):
            with kernel.workspace(N) as work:
                tile = self.backend.tile(kernel, work, N)
                tile.rows[:] = (rows - kernel.center).T
                tile.log_joint()
                joint = tile.joint + tile.shared_term()
                assert_allclose(joint, log_joint(parameters, rows), rtol=1e-9, atol=1e-9)

    def test_predictions_are_those_of_scipy(self) -> None:
        """Labels, responsibilities and log densities of blocks, of kernels that it predicts by."""
        rows = self.rows()
        for parameters, kernel in _cases(rows):
            prediction = self.backend.prediction(kernel)
            if prediction is None:
                continue
            joint = log_joint(parameters, rows)
            logs = logsumexp(joint, axis=0)
            labels, gamma, densities = _predicted(prediction, kernel, rows)
            assert_array_equal(labels, joint.argmax(0))
            assert_allclose(gamma, np.exp(joint - logs).T, rtol=0, atol=1e-9)
            assert_allclose(densities, logs, rtol=1e-9, atol=1e-9)

    def test_predictions_of_a_row_do_not_depend_on_others(self) -> None:
        """Nor on what else is asked for, to the bit; types and places of targets are the caller's.

        What predicts ends before a row out of range, and says how many it filled.
        """
        rows: NDArray[Any] = self.rows().astype(np.float32)
        for _, kernel in _cases(rows.astype(np.float64)):
            prediction = self.backend.prediction(kernel)
            if prediction is None:
                continue
            labels, gamma, densities = _predicted(prediction, kernel, rows)
            n, anywhere = N, np.full(D, np.inf)
            records = np.zeros(n, [("label", "i2"), ("gamma", "f4", (K,)), ("log", "f8")])
            targets = Targets(records["label"], records["gamma"], 0, records["log"])
            for part in (slice(0, 1), slice(1, 38), slice(38, 38), slice(38, n)):
                count = part.stop - part.start
                assert prediction.fill(rows[part], targets.part(part), anywhere) == count
            assert_array_equal(records["label"], labels)
            assert_array_equal(records["gamma"], np.float32(gamma))
            assert_array_equal(records["log"], densities)
            steps = np.zeros((n, K), np.uint8)
            prediction.fill(rows, Targets(responsibilities=steps, levels=255), anywhere)
            assert_array_equal(steps, np.rint(255 * gamma))
            rows[n // 2, 0] = np.nan
            assert prediction.fill(rows, targets, np.full(D, 1e30)) <= n // 2
            rows[n // 2, 0] = 0.0


def _predicted(
    prediction: Prediction, kernel: Kernel, rows: NDArray[Any]
) -> tuple[NDArray[np.int64], Array, Array]:
    """Return labels, responsibilities and log densities of all rows."""
    n = len(rows)
    labels, gamma, densities = np.empty(n, np.int64), np.empty((n, K)), np.empty(n)
    half_range = np.abs(rows - kernel.center).max(axis=0)
    assert prediction.fill(rows, Targets(labels, gamma, 0, densities), half_range) == n
    return labels, gamma, densities


def _cases(rows: Array) -> Iterator[tuple[Parameters, Kernel]]:
    for structure in (*STRUCTURES.values(), STRUCTURES["ppca-2"], STRUCTURES["factor-1"]):
        parameters = random_mixture(structure, K, D)
        yield parameters, NaturalKernel.of(parameters, rows.mean(0))
        yield parameters, WhitenedKernel.of(parameters)


def _entries(kernel: Kernel, second: Array) -> Array:
    """Return the quadratic entries of second moments (k, d, d)."""
    if kernel.axes is None:
        return kernel.structure.statistic.of_matrices(second)
    squares, products = np.diagonal(second, axis1=1, axis2=2), kernel.axes @ second
    return np.concatenate([squares, products.reshape(len(second), -1)], axis=1)


def _leaves_the_shared_term_out(kernel: Kernel) -> bool:
    return isinstance(kernel, NaturalKernel) and kernel.leaves_out


def _responsibilities(
    parameters: Parameters, rows: Array, weights: Array | None
) -> tuple[Array, float]:
    """Return weighted responsibilities (k, n) and the log-likelihood."""
    joint, w = log_joint(parameters, rows), np.ones(N) if weights is None else weights
    logs = logsumexp(joint, axis=0)
    return w * np.exp(joint - logs), float(w @ logs)


def _second_moments(kernel: Kernel, rows: Array, gamma: Array) -> Array:
    """Return the second moments about the reference points of a kernel, (k, d, d)."""
    differences = rows[None] - kernel.reference[:, None]
    return np.asarray(np.einsum("kn,kni,knj->kij", gamma, differences, differences), np.float64)
