"""The variational posterior of a mixture: what EM iterates where parameters are uncertain."""

from __future__ import annotations

from dataclasses import dataclass

from daskgmm.arrays import Array
from daskgmm.gaussian.parameters import Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class VariationalPosterior(Parameters):
    r"""The posterior as parameters: those of expected densities, and the counts of the posterior.

    Weights, means and precisions are their expectations; `log_weights` are such that log densities
    are the expectations :math:`E \log \pi_k N(x | \mu_k, \Lambda_k^{-1})`. The rest of the
    posterior follows from the counts and the prior.

    Attributes
    ----------
    counts : ndarray of shape (k,)
        Expected number of rows of each component, N_k.
    """

    counts: Array
