r"""The slope and the curvature of a conjugate prior, in the coordinates of a `ScoreChart`.

Its logarithm is that of rows whose components are known: c of them tell the mixing proportions, m
the mean, and s the covariance (`PseudoMoments`). So in natural parameters it has the score of such
rows, and the information c, m or s in each direction: about the mode, where h is the linear
parameter of z and I - E its precision, :math:`\frac{s}{2} \log|I - E|` has the second derivative -s
in each coordinate of E, :math:`-\frac{m}{2} h^T (I - E)^{-1} h` has -m in each of h, and nothing is
mixed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.priors.prior import PseudoMoments


@dataclass(frozen=True, eq=False)
class PriorScores:
    """Derivatives of the log density of a prior.

    Attributes
    ----------
    slope : ndarray of shape (P,)
    curvature : ndarray of shape (P, P)
        Minus the second derivatives.
    """

    slope: Array
    curvature: Array

    @classmethod
    def of(cls, chart: ScoreChart, prior: PseudoMoments) -> PriorScores:
        """Return those of a prior at the parameters of a chart."""
        own, structure = chart.parameters, structure_of(chart.parameters)
        k, d = own.means.shape
        # Components that share a covariance bring equal parts of s and S.
        parts = k // len(prior.scale_counts)
        counts = np.broadcast_to(prior.scale_counts / parts, (k,))
        separate = replace(prior, scale_counts=counts, scales=prior.scales / parts)
        none = Moments(np.zeros((structure.n_statistics(d), k)), own.means, None, 0.0, 0.0, 0)
        slope = chart.of_moments([separate.added_to(none, structure)])[0]
        diagonal = np.zeros((chart.n_columns, chart.size))
        diagonal[:k, 1 : 1 + d] = prior.mean_counts[:, None]
        diagonal[:k, 1 + d :] = counts[:, None]
        curvature = (chart.free.T @ (diagonal.reshape(-1, 1) * chart.free.toarray())).copy()
        fixed = np.arange(chart.n_weights)
        curvature[fixed, fixed] += prior.counts.sum()
        return cls(slope, np.asarray(curvature))
