r"""Kullback-Leibler divergence of two mixtures, :math:`E_p \log (p / q)`, in nats."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.density.log_joint import squared_distances
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.density.sample_blocks import DRAWN, Sampler
from daskgmm.models.predictions.prediction import Predictor


class Divergence(NamedTuple):
    """A divergence and how exact it is.

    Attributes
    ----------
    value : float
        In nats.
    standard_error : float
        Of the mean over the rows that were drawn; 0 of a closed form.
    """

    value: float
    standard_error: float


def divergence(p: Parameters, q: Parameters, seed: int, n: int) -> Divergence:
    """Return that of p from q, mixtures over the same columns, from n rows of p.

    Of two Gaussians it is the closed form.
    """
    if p.n_components == q.n_components == 1 and not (p.makes_room or q.makes_room):
        return Divergence(_of_gaussians(p, q), 0.0)
    ours, theirs = Predictor(p), Predictor(q)
    values = np.empty(n)
    for first, rows in Sampler(p, None, None, seed).blocks(n):
        ratios = ours.log_densities(rows, DRAWN) - theirs.log_densities(rows, DRAWN)
        values[first : first + len(rows)] = ratios
    return Divergence(float(values.mean()), float(values.std(ddof=1) / np.sqrt(n)))


def _of_gaussians(p: Parameters, q: Parameters) -> float:
    (ours,), (theirs,) = covariance_matrices(p), covariance_matrices(q)
    lower = np.linalg.cholesky(theirs)
    ratio = np.linalg.solve(lower, np.linalg.cholesky(ours))
    apart = float(squared_distances(q, p.means)[0, 0])
    logs = 2.0 * float(np.log(np.abs(np.diagonal(ratio))).sum())
    return 0.5 * (float((ratio**2).sum()) + apart - p.n_features - logs)
