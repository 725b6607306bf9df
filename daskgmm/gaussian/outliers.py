"""A uniform component for outliers (Banfield & Raftery 1993), as a column of a kernel and back.

Its log joint density is the same everywhere.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.log_weights import NO_WEIGHT
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters


def log_joint_of_noise(parameters: Parameters) -> float:
    """Return the log joint density of the uniform component, in nats."""
    weight, volume = parameters.noise_weight, parameters.log_volume
    if weight is None or volume is None or not weight > 0:
        return NO_WEIGHT
    return float(np.log(weight)) - volume


def box_sides(minimum: Array, maximum: Array, reg_covar: float) -> Array:
    r"""Return the sides (d,) of the box from `minimum` to `maximum`, (d,) each.

    No side is shorter than :math:`\sqrt{2 \pi \lambda}`, with :math:`\lambda` = `reg_covar`: in a
    constant column components have the variance :math:`\lambda` and, at its value, the density of
    one over that side. So it tells nothing of the outliers.
    """
    least = max(np.sqrt(2.0 * np.pi * reg_covar), float(np.finfo(np.float64).tiny))
    return np.asarray(np.maximum(maximum - minimum, least), np.float64)


def log_volume(sides: Array) -> float:
    """Return the logarithm of the volume of a box of these sides (d,)."""
    return float(np.log(sides).sum())


def loss_by_noise(sides: Array, noise: float) -> float:
    r"""Return the nats that the log density of a uniform component loses by noise of the rows.

    A Gaussian loses half the noise's variance by the variance of a column; a side L counts as the
    variance :math:`L^2 / 2 \pi`, so that a constant column costs both the same.
    """
    # Not divided by squares: of a side without length they are 0.
    return float(0.5 * np.square(np.sqrt(2.0 * np.pi * noise) / sides).sum())


def joined(moments: Moments, parameters: Parameters) -> Moments:
    """Return moments of a kernel's columns as those of components, with what outliers need."""
    k = parameters.n_components
    if not parameters.has_noise:
        return moments
    return replace(
        moments,
        sums=np.ascontiguousarray(moments.sums[:, :k]),
        reference=moments.reference[:k],
        noise=float(moments.counts[k]),
    )
