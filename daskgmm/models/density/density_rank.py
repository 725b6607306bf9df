r"""Rank of rows among those of a mixture, by density.

The rank of a row x is :math:`P(p(Y) \le p(x))` for Y from the mixture: 1 less the probability of
the region of highest density that x is on the border of (Hyndman 1996,
https://doi.org/10.1080/00031305.1996.10474359). For rows of the mixture it is uniform from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, chi2

from daskgmm.gaussian.log_joint import log_joint, squared_distances
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.density.sample_blocks import Sampler, said
from daskgmm.models.predictions.outputs import Asked, Output
from daskgmm.models.predictions.posterior import Posterior
from daskgmm.models.predictions.prediction import Predictor

Array = NDArray[np.float64]


RANK = "density_rank"
"""The output that holds ranks."""


class Level(NamedTuple):
    """The border of a region of highest density.

    Attributes
    ----------
    log_density : float
        Of its border, in nats.
    lowest, highest : float
        The border lies between these with a probability of 95 %; equal if it is exact.
    """

    log_density: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Ranks:
    """The distribution of log p(Y), for Y from the mixture.

    Attributes
    ----------
    drawn : ndarray of shape (m,), or None
        Sorted log densities of rows that were drawn; None of a single Gaussian.
    highest : float
        Log density of the mean of a single Gaussian.
    n_features : int
    """

    drawn: Array | None
    highest: float
    n_features: int

    @classmethod
    def of(cls, parameters: Parameters, sampler: Sampler, n: int) -> Ranks:
        """Return that of a mixture, exactly or from n rows.

        The sampler is one of the parameters without coordinates, which rank alike.
        """
        d = parameters.n_features
        if parameters.n_components == 1 and not parameters.makes_room:
            mean = squared_distances(parameters, parameters.means)
            return cls(None, float(log_joint(parameters, mean)[0, 0]), d)
        predictor, drawn = Predictor(parameters), np.empty(n)
        for first, rows in sampler.blocks(n):
            drawn[first : first + len(rows)] = predictor.log_densities(rows, said)
        return cls(np.sort(drawn), np.nan, d)

    def __call__(self, log_densities: Array) -> Array:
        """Return the ranks of rows with these log densities."""
        if self.drawn is None:
            found: Array = chi2.sf(2.0 * (self.highest - log_densities), self.n_features)
            return found
        below = np.searchsorted(self.drawn, log_densities, side="right")
        # The row counts as one of the sample: no rank is 0, as none was measured to be.
        return np.asarray((below + 1.0) / (len(self.drawn) + 1.0), np.float64)

    def level(self, mass: float) -> Level:
        """Return the log density that the region of this probability is above of."""
        if self.drawn is None:
            exact = self.highest - 0.5 * float(chi2.ppf(mass, self.n_features))
            return Level(exact, exact, exact)
        m = len(self.drawn)
        # The number of drawn rows below the true level is binomial.
        ends = binom.ppf([0.025, 0.975], m, 1.0 - mass) / m
        at = np.clip([1.0 - mass, *ends], 0.0, 1.0)
        return Level(*map(float, np.quantile(self.drawn, at)))


def rank_output(ranks: Ranks, asked: Asked) -> list[Output]:
    """Return the output of ranks, as the table of outputs does."""
    long_name = "probability of a density as low as that of the row"
    return [asked.number(RANK, partial(_ranks_of, ranks), long_name)]


def _ranks_of(ranks: Ranks, posterior: Posterior) -> Array:
    return ranks(posterior.log_densities)
