"""First covariances without noise, from moments of rows with it."""

from __future__ import annotations

from dataclasses import replace

from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.deconvolution.known import KnownNoise, shrunk
from daskgmm.gaussian.moments import Moments


def without_noise(moments: Moments, structure: Structure, known: KnownNoise) -> Moments:
    """Return moments whose covariances are `shrunk` by the mean noise of the rows."""
    statistic, d = structure.statistic, moments.reference.shape[1]
    if statistic.pools:
        pooled = moments.pooled_covariance()
        change = shrunk(pooled, known.matrix(d)) - pooled
        assert moments.pooled is not None, "the statistic pools"
        return replace(moments, pooled=moments.pooled + moments.scale_counts.sum() * change[0])
    covariances = statistic.form.matrices(statistic.within(moments), d)
    change = statistic.of_matrices(shrunk(covariances, known.matrix(d)) - covariances)
    sums = moments.sums.copy()
    sums[1 + d :] += (moments.divisor[:, None] * change).T
    return replace(moments, sums=sums)
