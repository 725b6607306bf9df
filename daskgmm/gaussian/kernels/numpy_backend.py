"""Back end on NumPy and BLAS: tiles that fit into the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.barring import Barring, labels_buffer
from daskgmm.gaussian.kernels.kernel import Kernel, Sums
from daskgmm.gaussian.kernels.softmax import exponentiate, log_likelihood
from daskgmm.gaussian.kernels.stack import Stack, group_kernels
from daskgmm.gaussian.kernels.tiles import fill_tiles
from daskgmm.gaussian.kernels.workspace import Workspace
from daskgmm.gaussian.moments import Moments


class NumpyBackend(Backend):
    """Copies rows to tiles; one product makes all log densities, another one all moments."""

    takes_labels = True

    def moments(
        self, kernels: Sequence[Kernel], blocks: Iterator[Block], rows: int | None = None
    ) -> list[Moments]:
        groups = group_kernels(kernels)
        stacks = [Stack.of([kernels[index] for index in group]) for group in groups]
        b = min(stack.kernel.tile_rows for stack in stacks)
        b = b if rows is None else min(b, rows)
        with ExitStack() as workspaces:
            steps = [
                StackedExpectation(stack, workspaces.enter_context(stack.kernel.workspace(b)))
                for stack in stacks
            ]
            _add_blocks(blocks, steps)
            moments = [of_mixture for step in steps for of_mixture in step.moments()]
        order = [index for group in groups for index in group]
        return [moments[order.index(index)] for index in range(len(kernels))]


def _add_blocks(blocks: Iterator[Block], steps: Sequence[StackedExpectation]) -> None:
    """Add all blocks to all steps, tile by tile."""
    # The whitened kernel, which is last, has centre 0: its rows, unrounded, make those of others.
    *others, first = steps
    shifts = [(step.center - first.center)[:, None] for step in others]
    labels = labels_buffer(first.kernel, first.rows.shape[1])
    for b, weighted in fill_tiles(blocks, first.center, first.rows, first.weights, labels=labels):
        for other, shift in zip(others, shifts, strict=True):
            np.subtract(first.rows[:, :b], shift, out=other.rows[:, :b])
            other.weights[:b] = first.weights[:b]
        for step in steps:
            step.add(b, weighted, None if labels is None else labels[:b])


class StackedExpectation:
    """The E-step of a stack of mixtures: fill `rows` and `weights`, then `add`, for each tile.

    Attributes
    ----------
    kernel : Kernel
        That of the stack.
    center : ndarray of shape (d,)
        Point to subtract from rows.
    rows : ndarray of shape (d, b)
    weights : ndarray of shape (b,)
    """

    def __init__(self, stack: Stack, work: Workspace) -> None:
        self._stack, self._work = stack, work
        self._sums = Sums.zeros(
            stack.kernel.structure, *stack.kernel.shape[1:], stack.kernel.n_tail_sums
        )
        self._log_likelihoods = np.zeros(len(stack.parts))
        self._weight, self._n_rows = 0.0, 0
        self._full = stack.kernel.bind(work, work.joint.shape[1])
        self._full.add_to(self._sums)
        self.kernel, self.center = stack.kernel, stack.kernel.center
        self.rows, self.weights = self._full.rows, self._full.weights
        self._barring = Barring.of(stack.kernel)

    def add(self, b: int, weighted: bool, labels: NDArray[np.intp] | None = None) -> None:
        """Add the first b rows of the buffer, with their labels (b,) if they have any."""
        tile, parts = self._full, self._stack.parts
        if b < self.rows.shape[1]:
            tile = self._stack.kernel.bind(self._work, b)
            tile.add_to(self._sums)
        weights = tile.weights if weighted else None
        tile.log_joint()
        if self._barring is not None and labels is not None:
            self._barring.bar(tile.joint, labels)
        for index, part in enumerate(parts):
            joint = tile.joint[part]  # (components of one mixture, b)
            exponentiate(joint, tile.maximum, tile.total)
            self._log_likelihoods[index] += log_likelihood(tile.maximum, tile.total, weights)
            np.divide(1.0 if weights is None else weights, tile.total, out=tile.total)
            if len(parts) > 1:
                np.multiply(joint, tile.total, joint)
        if len(parts) > 1:
            tile.total.fill(1.0)  # responsibilities already have the factor of their own mixture
        self._weight += b if weights is None else float(weights.sum())
        self._n_rows += b
        tile.accumulate()

    def moments(self) -> list[Moments]:
        """Return the moments of all rows added, one for each mixture."""
        sums, reference = self._sums, self._stack.kernel.reference
        whole = sums.whole()
        return [
            Moments(
                np.ascontiguousarray(whole[:, part]) if len(self._stack.parts) > 1 else whole,
                reference[part],
                sums.pooled,
                float(total),
                self._weight,
                self._n_rows,
                tail=None if sums.tail is None else sums.tail[:, part],
            )
            for part, total in zip(self._stack.parts, self._log_likelihoods, strict=True)
        ]
