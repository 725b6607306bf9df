"""The E-step of one mixture by the compiled library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from daskgmm.gaussian.kernels.compiled.blocks import BLOCK, n_blocked, of_blocks
from daskgmm.gaussian.kernels.compiled.layout import (
    STRIP_TILES,
    fill_theta,
    given,
    integers,
    n_panels,
    panels_of,
    split,
    state_of,
)
from daskgmm.gaussian.kernels.compiled.library import Library, library
from daskgmm.gaussian.kernels.compiled.model import PANEL, LibraryModel
from daskgmm.gaussian.kernels.compiled.step import CompiledStep
from daskgmm.gaussian.kernels.compiled.whitened import apart_entries
from daskgmm.gaussian.kernels.kernel import Sums
from daskgmm.gaussian.kernels.workspace import LINE
from daskgmm.gaussian.moments import Moments

TAIL_SUMS = 4
"""Sums of a component with tails, as in the source."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """What a model has beside Gaussians, for which there are buffers."""

    uniform: bool = False
    tailed: bool = False
    pooled: bool = False
    labelled: bool = False

    @classmethod
    def of(cls, model: LibraryModel) -> Kinds:
        """Return what a model has."""
        given = model.uniform, model.tail, model.factor, model.classes
        return cls(*(each is not None for each in given))


GAUSSIANS = Kinds()


def _sizes(compiled: Library, p: int, k: int, d: int, kinds: Kinds = GAUSSIANS) -> dict[str, int]:
    """Return the entries of each buffer."""
    b = compiled.tile
    sizes = {"z": (2 + d) * b, "a": (k + kinds.uniform) * b, "weights": b}
    sizes |= {"theta": p * k, "sums": n_panels(compiled, k) * p * PANEL, "factors": b}
    if p >= compiled.least_statistics:
        sizes |= {"few": k * _padded(p), "gathered": (3 + d) * b, "pairs": k * b // 2, "counts": k}
    if kinds.tailed:
        even = TAIL_SUMS * (k + k % 2)  # trees add the sums of two components at once
        sizes |= {"strip": 2 * k * compiled.strip, "tail_lanes": LINE * even, "tail_sums": even}
    if kinds.labelled:
        sizes |= {"labels": b}
    if kinds.pooled:
        sizes |= {"shares": b, "weighed": BLOCK * b, "pooled": n_blocked(d)}
    return sizes


def _padded(p: int) -> int:
    """Return a number of statistics that fills all lanes."""
    return -(-p // LINE) * LINE


def expectation_nbytes(p: int, k: int, d: int, mixtures: int = 1) -> int:
    """Return the bytes of the buffers, at most; 0 without a library.

    k is the number of components of all mixtures in the pass, each of which has its own buffers.
    """
    found = library()
    if found is None:
        return 0
    pooled = p == 1 + d  # beside noise or with tails; then the shared distance is one more
    p += pooled

    def entries(k: int) -> int:
        sizes = _sizes(found, p, k, d, Kinds(True, True, pooled, True))
        rows = 2 * (p + LINE) + n_panels(found, k) + 1 + k + 1  # of pairs, edges, and classes
        natural = sum(sizes.values()) + pooled * n_blocked(d) + rows
        return max(natural, apart_entries(found, p, k, d))

    # A cut of k into two adds one panel at most, and the buffers that do not depend on k.
    copied = STRIP_TILES * found.tile * (d + 2)  # with weights and labels
    return 8 * (entries(k) + (mixtures - 1) * entries(1) + copied)


class CompiledExpectation(CompiledStep):
    """The sums under a natural kernel."""

    sums = "sums", "few", "tail_sums", "pooled"

    def __init__(self, compiled: Library, model: LibraryModel) -> None:
        (k, p), d = model.theta.shape, len(model.kernel.center)
        self._model = model
        arrays = self._buffers(_sizes(compiled, p, k, d, Kinds.of(model)))
        whole = integers(compiled, model)
        self._edges = whole["edges"]
        fill_theta(model, self._edges, arrays["theta"])
        super().__init__(compiled, state_of(compiled, model), arrays | given(model), whole)

    def _buffers(self, sizes: Mapping[str, int]) -> dict[str, NDArray[Any]]:
        """Return the buffers of these entries."""
        return dict(split(sizes))

    def _moments(self, of_rows: tuple[float, float, int]) -> Moments:
        kernel, arrays = self._model.kernel, self._arrays
        (k, p), d = self._model.theta.shape, len(kernel.center)
        sums = Sums.zeros(kernel.structure, *kernel.shape[1:])
        height = len(sums.sums)  # without that of the shared distance
        panels = arrays["sums"].reshape(-1, p, PANEL)
        for panel, (start, stop) in zip(panels, panels_of(self._edges), strict=True):
            sums.sums[:, start:stop] = panel[:height, : stop - start]
        if "few" in arrays:
            sums.sums[:, :k] += arrays["few"].reshape(k, -1)[:, :height].T
        if self._model.uniform is not None:
            sums.sums[0, k] = self._state.outliers
        pooled, tail = sums.pooled, None
        if self._model.factor is not None:
            pooled = of_blocks(arrays["pooled"], d)
        if self._model.tail is not None:
            tail = self._model.tail.sums(arrays["tail_sums"].reshape(-1, TAIL_SUMS)[:k].T)
        return Moments(sums.sums, kernel.reference, pooled, *of_rows, tail=tail)
