"""Priors of the weights of a mixture: a Dirichlet distribution, or a Dirichlet process.

Both are conjugate: their posterior depends on the rows by the expected counts N_k alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import betaln, digamma, gammaln

from daskgmm.arrays import Array


@dataclass(frozen=True, slots=True)
class WeightPrior(ABC):
    """A prior of weights, of a concentration that is positive.

    The parameters of a posterior are a tuple of arrays (k,).
    """

    name: ClassVar[str]

    concentration: float

    @abstractmethod
    def posterior(self, counts: Array) -> tuple[Array, ...]:
        """Return the parameters of the posterior, given the counts N_k (k,) in rows."""

    @staticmethod
    @abstractmethod
    def log_weights(*posterior: Array) -> Array:
        """Return the expectations of the logarithms of the weights, shape (k,)."""

    @staticmethod
    @abstractmethod
    def weights(*posterior: Array) -> Array:
        """Return the expectations of the weights over their sum, shape (k,)."""

    @abstractmethod
    def divergence(self, counts: Array) -> float:
        """Return the Kullback-Leibler divergence of the posterior from the prior, in nats."""


class Dirichlet(WeightPrior):
    """A Dirichlet distribution with the same concentration for each component."""

    name = "dirichlet_distribution"

    def posterior(self, counts: Array) -> tuple[Array, ...]:
        return (self.concentration + counts,)

    @staticmethod
    def log_weights(*posterior: Array) -> Array:
        (alpha,) = posterior
        expectations: Array = digamma(alpha) - digamma(alpha.sum())
        return expectations

    @staticmethod
    def weights(*posterior: Array) -> Array:
        (alpha,) = posterior
        weights: Array = alpha / alpha.sum()
        return weights

    def divergence(self, counts: Array) -> float:
        (alpha,) = self.posterior(counts)
        before = np.full(len(counts), self.concentration)
        normalisers = _log_dirichlet(alpha) - _log_dirichlet(before)
        return normalisers + float(counts @ self.log_weights(alpha))


class DirichletProcess(WeightPrior):
    r"""A Dirichlet process, in the stick-breaking representation of Sethuraman (1994).

    :math:`\pi_k = v_k \prod_{j < k} (1 - v_j)` with :math:`v_k \sim \mathrm{Beta}(1, \gamma)`; the
    posterior has k of these beta distributions, and no row beyond them (Blei & Jordan 2006). The
    order of the components matters: it is that of the start, as in scikit-learn.
    """

    name = "dirichlet_process"

    def posterior(self, counts: Array) -> tuple[Array, ...]:
        beyond = np.concatenate([np.cumsum(counts[:0:-1])[::-1], [0.0]])
        return 1.0 + counts, self.concentration + beyond

    @staticmethod
    def log_weights(*posterior: Array) -> Array:
        a, b = posterior
        whole = digamma(a + b)
        rest = np.cumsum(digamma(b) - whole)
        expectations: Array = digamma(a) - whole + np.concatenate([[0.0], rest[:-1]])
        return expectations

    @staticmethod
    def weights(*posterior: Array) -> Array:
        a, b = posterior
        rest = np.cumprod(b / (a + b))
        weights: Array = a / (a + b) * np.concatenate([[1.0], rest[:-1]])
        weights /= weights.sum()
        return weights

    def divergence(self, counts: Array) -> float:
        a, b = self.posterior(counts)
        whole = digamma(a + b)
        beyond = b - self.concentration
        normalisers = betaln(1.0, self.concentration) - betaln(a, b)
        moved = counts * (digamma(a) - whole) + beyond * (digamma(b) - whole)
        return float((normalisers + moved).sum())


def _log_dirichlet(alpha: Array) -> float:
    """Return the logarithm of the normaliser of a Dirichlet density."""
    return float(gammaln(alpha.sum()) - gammaln(alpha).sum())


WEIGHT_PRIORS: dict[str, type[WeightPrior]] = {
    kind.name: kind for kind in (DirichletProcess, Dirichlet)
}
"""Table of the priors of weights by name, as scikit-learn has them."""
