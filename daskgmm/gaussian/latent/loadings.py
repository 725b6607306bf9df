"""Loadings and noise of parameters of low rank, as users see them."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.low_rank.factors import PrincipalComponents
from daskgmm.gaussian.covariance.low_rank.families import family_of
from daskgmm.gaussian.covariance.low_rank.precision import parts
from daskgmm.gaussian.latent.common_factors import SharedFactors
from daskgmm.gaussian.parameters import Parameters


def factor_loadings(parameters: Parameters) -> Array:
    """Return the loadings, (k, d, q), or (d, q) where components share them."""
    shared = SharedFactors.of(parameters)
    loadings = parts(parameters.covariances)[0] if shared is None else shared.loadings
    return np.ascontiguousarray(loadings.swapaxes(-1, -2))


def noise_variances(parameters: Parameters) -> Array:
    """Return the noise variances: (k, d), (k,) where features share one, (d,) where components do.

    They are a copy.
    """
    shared = SharedFactors.of(parameters)
    if shared is not None:
        return shared.noise.copy()
    _, noise = parts(parameters.covariances)
    return noise[:, 0].copy() if _has_one_noise(parameters) else noise


def explained_variances(parameters: Parameters) -> Array:
    """Return the variances along the factors, (k, q), or (q,) where components share them.

    Those along principal axes have the noise in them.
    """
    squares: Array = (factor_loadings(parameters) ** 2).sum(axis=-2)
    if _has_one_noise(parameters):
        squares += noise_variances(parameters)[:, None]
    return squares


def _has_one_noise(parameters: Parameters) -> bool:
    found = family_of(parameters.structure)
    return found is not None and found[0] == PrincipalComponents.family
