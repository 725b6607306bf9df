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
from daskgmm.gaussian.kernels.compiled.prediction import CompiledPrediction
from daskgmm.gaussian.kernels.compiled.single import CompiledSingle
from daskgmm.gaussian.kernels.compiled.step import CompiledStep
from daskgmm.gaussian.kernels.compiled.whitened import Apart, CompiledApart
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
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


class CompiledBackend(Backend):
    """Natural kernels, with tails too, and whitened ones by the library; others by NumPy.

    With one kernel that it has not NumPy does the whole pass.
    """

    takes_labels, has_single = True, True
    shares_products = short_calls = False

    def moments(
        self, kernels: Sequence[Kernel], blocks: Iterator[Block], rows: int | None = None
    ) -> list[Moments]:
        compiled = self._library()
        found = [step_of(compiled, kernel) for kernel in kernels]
        steps = [step for step in found if step is not None]
        if len(steps) < len(kernels):
            return NumpyBackend().moments(kernels, blocks, rows)
        for block in blocks:
            if len(block.x):
                for step in steps:
                    step.add(block)
        return [step.moments() for step in steps]

    def moments_of_parts(
        self, kernel: Kernel, block: Block, starts: Sequence[int]
    ) -> list[Moments]:
        step, found = step_of(self._library(), kernel), list[Moments]()
        if step is None:
            return super().moments_of_parts(kernel, block, starts)
        for first, stop in itertools.pairwise([*starts, len(block.x)]):
            step.add(block.part(slice(first, stop)))
            found.append(step.moments())
            step.restart()
        return found

    def prediction(self, kernel: Kernel) -> Prediction | None:
        compiled, model = self._library(), library_model(kernel)
        return None if model is None else CompiledPrediction(compiled, model)

    def _library(self) -> Library:
        found = library()
        if found is None:
            raise ClusterError(
                "This process has no compiled kernel, which the work began with: results by NumPy "
                f"have other last bits. {ONE_KERNEL}"
            )
        return found
