"""What noise of the same variance in each feature takes from log densities."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import Precision


def noise_terms(precision: Precision, factors: Array, d: int, noise: float) -> Array:
    r"""Return :math:`\frac{\varepsilon}{2} \mathrm{tr}\, \Sigma_k^{-1}` in nats, shape (m,).

    Without noise they are 0, also where the traces are beyond the largest number.
    """
    if noise == 0.0:
        return np.zeros(len(factors))
    return 0.5 * noise * precision.traces(factors, d)
