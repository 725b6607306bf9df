"""Likelihoods and entropies of many mixtures, exactly at their parameters, in one pass."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.passing import Pass, run_pass
from daskgmm.em.survey.survey import TrainingSet
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.deconvolution.kernel import RowNoiseKernel, RowNoiseTile
from daskgmm.gaussian.deconvolution.known import KnownNoise
from daskgmm.gaussian.deconvolution.shared import widened
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.barring import Barring, labels_buffer
from daskgmm.gaussian.kernels.choice import choose_kernel
from daskgmm.gaussian.kernels.kernel import Kernel, Tile
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.softmax import FLOOR
from daskgmm.gaussian.kernels.stack import Stack
from daskgmm.gaussian.kernels.tiles import fill_tiles
from daskgmm.gaussian.kernels.workspace import workspace
from daskgmm.gaussian.missing.kernel import MarginalKernel
from daskgmm.gaussian.missing.patterns import grouped
from daskgmm.gaussian.parameters import Parameters
from daskgmm.passes.batches import Batch
from daskgmm.passes.configuration import backend
from daskgmm.passes.task import Work

STACKED = 192
"""Components of one product: more make tiles that leave the cache."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Weighted sums over rows, an entry for each mixture.

    Attributes
    ----------
    log_likelihoods, entropies : ndarray of shape (mixtures,)
        Sums of log p(x), and of the entropies of the responsibilities, in nats.
    weight : float
    rows : int
    """

    log_likelihoods: Array
    entropies: Array
    weight: float
    rows: int


def merge_measured(one: Measured, other: Measured) -> Measured:
    """Return the sums over both sets of rows."""
    return Measured(
        one.log_likelihoods + other.log_likelihoods,
        one.entropies + other.entropies,
        one.weight + other.weight,
        one.rows + other.rows,
    )


@dataclass(frozen=True, slots=True)
class MeasureWork:
    """Measures one batch: mixtures of one structure as one product.

    `order` has the number of each mixture, stack by stack.
    """

    stacks: tuple[Stack, ...]
    order: tuple[int, ...]
    backend: Backend

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Measured:
        """Return the sums over the batch."""
        kernels = [stack.kernel for stack in self.stacks]
        b = min(kernel.tile_rows for kernel in kernels)
        if batch.rows is not None:
            b = min(b, max(1, batch.rows))
        # Rows of the exact kernel are as they are: those of all others can be made of them.
        exact = [kernel for kernel in kernels if not kernel.is_centred]
        center = (exact or kernels)[0].center
        found, weight, rows = np.zeros((len(self.order), 2)), 0.0, 0
        z, weights = np.empty((len(center), b)), np.empty(b)
        barrings = [Barring.of(kernel) for kernel in kernels]
        labels = labels_buffer(kernels[0], b)
        scratch = np.empty(b * max(kernel.shape[1] for kernel in kernels))
        with ExitStack() as lent:
            works = [
                lent.enter_context(workspace(kernel.feature_rows, *kernel.shape[1:], b))
                for kernel in kernels
            ]
            for filled, weighted in fill_tiles(blocks, center, z, weights, labels=labels):
                w = weights[:filled] if weighted else np.ones(filled)
                first = 0
                for stack, work, barring in zip(self.stacks, works, barrings, strict=True):
                    tile = self.backend.tile(stack.kernel, work, filled)
                    shift = stack.kernel.center - center
                    np.subtract(z[:, :filled], shift[:, None], out=tile.rows)
                    tile.log_joint()
                    if barring is not None and labels is not None:
                        barring.bar(tile.joint, labels[:filled])
                    shared = tile.shared_term() if len(stack.parts) == 1 else 0.0
                    for joint in _joints(stack, tile):
                        space = scratch[: joint.size].reshape(joint.shape)
                        found[first : first + len(joint)] += measure(joint, w, shared, space)
                        first += len(joint)
                weight, rows = weight + float(w.sum()), rows + filled
        numbers = np.argsort(self.order)
        return Measured(found[numbers, 0], found[numbers, 1], weight, rows)


def _joints(stack: Stack, tile: Tile) -> Iterator[Array]:
    """Yield log joint densities of mixtures of one size, (mixtures, k, b)."""
    if len(stack.parts) == 1:
        yield tile.of_components()[None]
        return
    for part, shape in alike(stack):
        yield tile.joint[part].reshape(*shape, -1)


def alike(stack: Stack) -> Iterator[tuple[slice, tuple[int, int]]]:
    """Yield the components of neighbours of one size, with the number of these and the size."""
    sizes = [part.stop - part.start for part in stack.parts]
    start = 0
    for k, group in itertools.groupby(sizes):
        count = len(list(group))
        yield slice(start, start + count * k), (count, k)
        start += count * k


def measure(joint: Array, weights: Array, shared: Array | float, scratch: Array) -> Array:
    """Return the sums (mixtures, 2) of log p(x) and of the entropy over a tile of b rows.

    `joint` (mixtures, k, b) holds log joint densities and is overwritten, as is `scratch` of that
    shape; `shared` (b,) is what all components have in common.
    """
    maximum = np.maximum.reduce(joint, axis=1)
    joint -= maximum[:, None]
    logarithms = np.maximum(joint, FLOOR, out=joint)
    exponentials = np.exp(logarithms, out=scratch)
    total = np.add.reduce(exponentials, axis=1)
    log_total = np.log(total)
    # With e the exponentials and s their sum: -sum (e/s) log(e/s) = log s - sum e log e / s.
    exponentials *= logarithms
    entropy = log_total - np.add.reduce(exponentials, axis=1) / total
    maximum += log_total
    maximum += shared
    return np.stack([maximum @ weights, entropy @ weights], axis=1)


def _small(group: list[int], kernels: Sequence[Kernel]) -> list[list[int]]:
    """Cut a group of mixtures into stacks of at most `STACKED` components, or of one mixture."""
    stacks: list[list[int]] = []
    size = 0
    for index in sorted(group, key=lambda index: kernels[index].shape[1]):
        k = kernels[index].shape[1]
        if not stacks or size + k > STACKED:
            stacks.append([])
            size = 0
        stacks[-1].append(index)
        size += k
    return stacks


@dataclass(frozen=True, slots=True)
class MeasureObservedWork:
    """Measures one batch of rows that miss values, pattern by pattern."""

    kernels: tuple[MarginalKernel, ...]
    backend: Backend

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Measured:
        """Return the sums over the batch."""
        nothing = np.zeros(len(self.kernels))
        total = Measured(nothing, nothing, 0.0, 0)
        for pattern, block in grouped(blocks, len(self.kernels[0].center)):
            work = measure_work([kernel.of(pattern) for kernel in self.kernels], self.backend)
            total = merge_measured(total, work(batch, iter([block])))
        return total


@dataclass(frozen=True, slots=True)
class MeasureNoisyWork:
    """Measures one batch of rows that each have their noise."""

    kernels: tuple[RowNoiseKernel, ...]

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Measured:
        """Return the sums over the batch."""
        d, width = len(self.kernels[0].center), self.kernels[0].width
        b = min(kernel.tile_rows for kernel in self.kernels)
        x, weights, noise = np.empty((d, b)), np.empty(b), np.empty((width, b))
        joint, scratch = np.empty((2, max(kernel.n_columns for kernel in self.kernels), b))
        barrings = [Barring.of(kernel) for kernel in self.kernels]
        labels = labels_buffer(self.kernels[0], b)
        full = [RowNoiseTile(kernel, x, joint, weights, b) for kernel in self.kernels]
        found, weight, rows = np.zeros((len(full), 2)), 0.0, 0
        for filled, weighted in fill_tiles(blocks, np.zeros(d), x, weights, noise, labels):
            w = weights[:filled] if weighted else np.ones(filled)
            each = zip(found, self.kernels, full, barrings, strict=True)
            for sums, kernel, tile, barring in each:
                if filled < b:
                    tile = RowNoiseTile(kernel, x, joint, weights, filled)
                tile.noise = noise[:, :filled]
                tile.log_joint()
                if barring is not None and labels is not None:
                    barring.bar(tile.joint, labels[:filled])
                space = scratch[: kernel.n_columns, :filled]
                sums += measure(tile.joint[None], w, 0.0, space[None])[0]
            weight, rows = weight + float(w.sum()), rows + filled
        return Measured(found[:, 0], found[:, 1], weight, rows)


Classes = Sequence[tuple[int, ...] | None]
"""Classes of the components of each of several mixtures, if rows have labels."""


def measure_many(
    rows: TrainingSet, mixtures: Sequence[Parameters], classes: Classes | None = None
) -> Measured:
    """Return the likelihood and entropy of all rows under each of the mixtures.

    Rows of known class have the densities of its components alone.
    """
    work: Work[Measured]
    classes = [None] * len(mixtures) if classes is None else classes
    if rows.survey.has_gaps:
        about_center = rows.survey.mean, rows.survey.half_range
        marginal = [MarginalKernel.choose(each, *about_center) for each in mixtures]
        work = MeasureObservedWork(tuple(_labelled(marginal, classes)), backend())
    elif rows.survey.noise is not None and rows.survey.is_noisy:
        work = _measure_noisy(rows, mixtures, classes, rows.survey.noise)
    else:
        work = _measure_whole(rows, mixtures, classes)
    asked = Pass("measure", work, merge_measured, 16 * len(mixtures))
    return run_pass(rows.data, asked, rows.listen)[0]


K = TypeVar("K", bound=Kernel)


def _labelled(kernels: Sequence[K], classes: Classes) -> list[K]:
    """Return kernels with the classes of their components, if rows have labels."""
    pairs = zip(kernels, classes, strict=True)
    return [
        kernel if own is None else kernel.with_classes(np.array(own, np.intp))
        for kernel, own in pairs
    ]


def _measure_noisy(
    rows: TrainingSet, mixtures: Sequence[Parameters], classes: Classes, known: KnownNoise
) -> MeasureWork | MeasureNoisyWork:
    if known.constant is not None:
        return _measure_whole(rows, [widened(each, known.constant) for each in mixtures], classes)
    kernels = [RowNoiseKernel.about(each, len(known.mean)) for each in mixtures]
    return MeasureNoisyWork(tuple(_labelled(kernels, classes)))


def _measure_whole(
    rows: TrainingSet, mixtures: Sequence[Parameters], classes: Classes
) -> MeasureWork:
    together = sum(each.n_components for each in mixtures)
    about = rows.survey.mean, rows.survey.half_range, 0.0, together
    kernels = [choose_kernel(each, *about) for each in mixtures]
    return measure_work(_labelled(kernels, classes), backend())


def measure_work(kernels: Sequence[Kernel], computing: Backend) -> MeasureWork:
    """Return what measures mixtures, those of one structure in one product."""
    groups: dict[str, list[int]] = {}
    for index, kernel in enumerate(kernels):
        # The exact kernel, and one with a shared covariance of its own, stand alone.
        alone = kernel.structure.statistic.pools or not isinstance(kernel, NaturalKernel)
        groups.setdefault(str(index) if alone else kernel.structure.name, []).append(index)
    cut = [part for group in groups.values() for part in _small(group, kernels)]
    stacks = tuple(Stack.of([kernels[index] for index in group]) for group in cut)
    order = tuple(index for group in cut for index in group)
    return MeasureWork(stacks, order, computing)
