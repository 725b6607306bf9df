"""Back end on a compiled library: whole blocks in one call, without Python's lock."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from daskgmm.errors import ClusterError
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.compiled.expectation import CompiledExpectation
from daskgmm.gaussian.kernels.compiled.library import Library, library
from daskgmm.gaussian.kernels.compiled.model import library_model
from daskgmm.gaussian.kernels.compiled.pairs import CompiledPairs
from daskgmm.gaussian.kernels.compiled.prediction import CompiledPrediction
from daskgmm.gaussian.kernels.compiled.single import CompiledSingle
from daskgmm.gaussian.kernels.compiled.step import CompiledStep
from daskgmm.gaussian.kernels.compiled.whitened import Apart, CompiledApart
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from daskgmm.gaussian.kernels.pairs import PairLayout, PairSums
from daskgmm.gaussian.kernels.prediction import Prediction
from daskgmm.gaussian.kernels.single import SingleKernel
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.moments import Moments


def step_of(compiled: Library, kernel: Kernel) -> CompiledStep | None:
    """Return what takes the sums under a kernel; None if the library does not."""
    if isinstance(kernel, WhitenedKernel):
        apart = Apart.of(kernel)
        return None if apart is None else CompiledApart(compiled, apart)
    model = library_model(kernel)
    if model is None:
        return None
    if isinstance(kernel, SingleKernel):
        return CompiledSingle(compiled, model, kernel.units)
    return CompiledExpectation(compiled, model)


ONE_KERNEL = (
    "Install daskgmm with a C compiler at hand, or from one wheel, wherever workers run; or set "
    "DASKGMM_KERNEL=numpy in the process that calls fit or predict."
)
"""Advice where some workers have a library and others do not."""


def needed_library() -> Library:
    """Return the library.

    Raises
    ------
    ClusterError
        If this process has none.
    """
    found = library()
    if found is None:
        raise ClusterError(
            "This process has no compiled kernel, which the work began with: results by NumPy "
            f"have other last bits. {ONE_KERNEL}"
        )
    return found


class CompiledPass:
    """The moments of batches under some kernels; what one batch was summed with, the next ones use.

    Nothing of it is pickled but the kernels.
    """

    def __init__(self, kernels: tuple[Kernel, ...]) -> None:
        self._kernels = kernels
        self._idle: list[list[CompiledStep]] = []

    def __reduce__(self) -> tuple[type[CompiledPass], tuple[tuple[Kernel, ...]]]:
        return CompiledPass, (self._kernels,)

    def __call__(self, blocks: Iterator[Block], rows: int | None = None) -> list[Moments]:
        """Return the moments of blocks under each kernel."""
        try:
            steps = self._idle.pop()  # which is atomic: no other thread has these
        except IndexError:
            compiled = needed_library()
            found = [step_of(compiled, kernel) for kernel in self._kernels]
            steps = [step for step in found if step is not None]
        if len(steps) < len(self._kernels):
            return NumpyBackend().moments(self._kernels, blocks, rows)
        for block in blocks:
            if len(block.x):
                for step in steps:
                    step.add(block)
        moments = [step.moments() for step in steps]
        for step in steps:
            step.restart()
        self._idle.append(steps)
        return moments


class CompiledBackend(Backend):
    """Natural kernels, with tails too, and whitened ones by the library; others by NumPy.

    With one kernel that it has not NumPy does the whole pass.
    """

    takes_labels, has_single = True, True
    shares_products = short_calls = False

    def moments(
        self, kernels: Sequence[Kernel], blocks: Iterator[Block], rows: int | None = None
    ) -> list[Moments]:
        return self.of_pass(kernels)(blocks, rows)

    def of_pass(self, kernels: Sequence[Kernel]) -> CompiledPass:
        return CompiledPass(tuple(kernels))

    def moments_of_parts(
        self, kernel: Kernel, block: Block, starts: Sequence[int]
    ) -> list[Moments]:
        step, found = step_of(needed_library(), kernel), list[Moments]()
        if step is None:
            return super().moments_of_parts(kernel, block, starts)
        for first, stop in itertools.pairwise([*starts, len(block.x)]):
            step.add(block.part(slice(first, stop)))
            found.append(step.moments())
            step.restart()
        return found

    def prediction(self, kernel: Kernel) -> Prediction | None:
        compiled, model = needed_library(), library_model(kernel)
        return None if model is None else CompiledPrediction(compiled, model)

    def pairs(self, layout: PairLayout) -> PairSums:
        return CompiledPairs(needed_library(), layout)
