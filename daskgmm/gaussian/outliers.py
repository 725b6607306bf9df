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


def log_volume(minimum: Array, maximum: Array, reg_covar: float) -> float:
    """Return the logarithm of the volume of the box from `minimum` to `maximum`, (d,) each.

    No side is shorter than that of a uniform density with the variance `reg_covar`, which
    components have at least: a constant column would have an infinite density.
    """
    least = max(np.sqrt(12.0 * reg_covar), float(np.finfo(np.float64).tiny))
    return float(np.log(np.maximum(maximum - minimum, least)).sum())


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
