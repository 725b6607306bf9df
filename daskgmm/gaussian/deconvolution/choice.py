"""Choice of the kernel of rows with noise: one pattern for all rows, or each its own."""

from __future__ import annotations

from daskgmm.arrays import Array
from daskgmm.gaussian.deconvolution.kernel import RowNoiseKernel
from daskgmm.gaussian.deconvolution.known import KnownNoise
from daskgmm.gaussian.deconvolution.shared import SharedNoiseKernel
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.parameters import Parameters


def choose_deconvolving(
    parameters: Parameters, known: KnownNoise, center: Array, half_range: Array, noise: float
) -> Kernel:
    """Return the kernel for rows with this noise; `noise` is that of `Kernel`."""
    if known.constant is not None:
        return SharedNoiseKernel.choose(parameters, known.constant, center, half_range, noise)
    return RowNoiseKernel.about(parameters, len(known.mean), noise=noise)


def deconvolving_about(
    parameters: Parameters, known: KnownNoise, points: Array, noise: float
) -> Kernel:
    """Return the kernel whose moments are about points (k, d)."""
    if known.constant is not None:
        zero = 0.0 * points[0]
        return SharedNoiseKernel.about(parameters, known.constant, zero, points, noise)
    return RowNoiseKernel.about(parameters, len(known.mean), points, noise)
