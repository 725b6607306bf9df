r"""Rank of rows among those of a mixture, by density.

The rank of a row x is :math:`P(p(Y) \le p(x))` for Y from the mixture: 1 less the probability of
the region of highest density that x is on the border of (Hyndman 1996,
https://doi.org/10.1080/00031305.1996.10474359). For rows of the mixture it is uniform from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binom, chi2

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.density.log_joint import log_joint, squared_distances
from daskgmm.gaussian.missing.conditional import marginal, unstructured
from daskgmm.gaussian.missing.patterns import Pattern
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.density.sample_blocks import DRAWN, Sampler
from daskgmm.models.predictions.output import Asked, Output
from daskgmm.models.predictions.posteriors.posterior import Posterior
from daskgmm.models.predictions.prediction import Predictor

RANK = "density_rank"
"""The output that holds ranks."""

KEPT_BYTES = 32 << 20
"""Bytes of the log densities that are kept for patterns of missing values."""


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
    def of(
        cls, parameters: Parameters, sampler: Sampler, n: int, columns: Pattern | None = None
    ) -> Ranks:
        """Return that of a mixture, exactly or from n rows.

        The sampler is one of the parameters without coordinates, which rank alike; if columns are
        given, the parameters are those of these alone.
        """
        d = parameters.n_features
        if parameters.n_components == 1 and not parameters.makes_room:
            mean = squared_distances(parameters, parameters.means)
            return cls(None, float(log_joint(parameters, mean)[0, 0]), d)
        predictor, drawn = Predictor(parameters), np.empty(n)
        for first, rows in sampler.blocks(n):
            seen = rows if columns is None else np.ascontiguousarray(rows[:, columns])
            drawn[first : first + len(rows)] = predictor.log_densities(seen, DRAWN)
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


@dataclass(frozen=True)
class RanksOfRows:
    """Ranks of rows; those that miss values rank among the same columns of rows that were drawn.

    Attributes
    ----------
    whole : Ranks
        Of rows that miss no value.
    sampler : Sampler
        Without coordinates.
    n : int
        Number of rows that are drawn.
    """

    whole: Ranks
    sampler: Sampler
    n: int

    @classmethod
    def of(cls, sampler: Sampler, n: int) -> RanksOfRows:
        """Return the ranks under the mixture that a sampler without coordinates draws from."""
        return cls(Ranks.of(sampler.parameters, sampler, n), sampler, n)

    def __call__(self, posterior: Posterior) -> Array:
        """Return the ranks of the rows of a tile, (b,)."""
        gaps = posterior.gaps
        if gaps is None or gaps.pattern.all():
            return self.whole(posterior.log_densities)
        return self._remembered(gaps.pattern.tobytes())(posterior.log_densities)

    @cached_property
    def _remembered(self) -> Callable[[bytes], Ranks]:
        most = max(1, KEPT_BYTES // (8 * self.n))
        return lru_cache(maxsize=most)(lambda pattern: self._of(np.frombuffer(pattern, bool)))

    def _of(self, pattern: Pattern) -> Ranks:
        parameters = self.sampler.parameters
        whole = unstructured(parameters, structure_of(parameters))
        return Ranks.of(marginal(whole, pattern), self.sampler, self.n, pattern)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_remembered"}


def rank_output(ranks: RanksOfRows, asked: Asked) -> list[Output]:
    """Return the output of ranks, as the table of outputs does."""
    long_name = "probability of a density as low as that of the row"
    return [asked.number(RANK, ranks, long_name)]
