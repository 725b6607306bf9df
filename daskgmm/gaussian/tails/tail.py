r"""Tails: elliptical densities of components, and how their rows weigh in moments.

Of a row with the squared Mahalanobis distance :math:`\delta` from a component, a tail makes the log
density, and a factor u that its responsibility gets in the moments. So any tail goes with any
kernel and covariance structure.

A pass tells enough for one of two steps, as either changes what the other needs: of weights,
locations and scatter, or of the tails alone. Both raise the likelihood. The model takes the one
that gains more, as far as the moments tell.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters


class BoundTail(ABC):
    """A tail bound to a buffer (k, b) of a tile.

    Attributes
    ----------
    joint : ndarray of shape (columns, b)
        Log joint densities, then exponentials.
    """

    joint: Array

    @abstractmethod
    def densities(self) -> None:
        """Fill `joint`; the buffer holds squared distances plus `TailDensities.shift`."""

    def of_components(self) -> Array:
        """Return the log joint densities of components, (k, b), which may overwrite `joint`."""
        return self.joint

    @abstractmethod
    def weigh(self, total: Array, sums: Array) -> None:
        """Fill the buffer with weighted responsibilities times the factors u of the rows.

        Parameters
        ----------
        total : ndarray of shape (b,)
            What exponentials are to be multiplied by to be weighted responsibilities.
        sums : ndarray of shape (s, k)
            `Moments.tail`, to be added to; the first row is that of the counts.
        """

    @abstractmethod
    def outlying(self) -> Array:
        """Return the probability that a row of each component is an outlier, (k, b)."""


class TailDensities(ABC):
    """Densities of components with tails, for a pass; workers get it by pickle.

    Attributes
    ----------
    shift : ndarray of shape (k,)
        What is added to squared distances, at no cost where a product makes them.
    n_sums : int
        Number of sums, s, of `Moments.tail`.
    """

    shift: Array
    n_sums: int

    @property
    def n_columns(self) -> int:
        """Number of densities of a row: one of each component, if its parts need no more."""
        return len(self.shift)

    @abstractmethod
    def bind(self, distances: Array) -> BoundTail:
        """Return the densities bound to a buffer (k, b)."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Values of tails that a step of locations and scatter takes or changes.

    Attributes
    ----------
    parameters : Parameters
        Those of the pass with the tails after the step.
    divisors : ndarray of shape (k,)
        Of the second moments in the covariances.
    gain : float
        Part of the gain that does not depend on the new covariances, in nats.
    """

    parameters: Parameters
    divisors: Array
    gain: float


class Tail(ABC):
    """A kind of tails; one entry of `TAILS`."""

    name: ClassVar[str]

    splits: ClassVar[bool] = True
    """Whether a row is an outlier or not, by parts of the density. If so the likelihood tells
    whether a cluster far away is one; heavy tails alone are likelier with a component on it."""

    has_coordinates: ClassVar[bool] = False
    """Whether there are `coordinates`, in which acceleration moves tails beside all else."""

    @abstractmethod
    def are_of(self, parameters: Parameters) -> bool:
        """Return whether the components have such tails."""

    @abstractmethod
    def begun(self, parameters: Parameters, share: float) -> Parameters:
        """Return Gaussian components with tails to begin with; `share` of the rows is outliers."""

    @abstractmethod
    def densities(self, parameters: Parameters, noise: float) -> TailDensities:
        """Return the densities of components, whose rows have noise as in `kernel.Kernel`."""

    @abstractmethod
    def sensitivity(self, parameters: Parameters) -> float:
        """Return the largest error of a log density for an error of 1 nat of the Gaussian one."""

    @abstractmethod
    def beside(self, moments: Moments, parameters: Parameters, noise: float) -> Beside:
        """Return what goes with the step of locations and scatter."""

    @abstractmethod
    def alone(self, moments: Moments, parameters: Parameters) -> tuple[Parameters, float]:
        """Return the parameters after a step of the tails alone, and its least gain in nats."""

    def towards(self, beside: Parameters, alone: Parameters) -> Parameters:
        """Return the tails of steps along the gradient, of those of both steps."""
        return beside

    def coordinates(self, anchor: Parameters, parameters: Parameters) -> Array:
        """Return coordinates (s,) of tails about those of an anchor.

        At the anchor the Fisher information of complete data is about the identity in them.
        """
        raise NotImplementedError

    def at(self, anchor: Parameters, coordinates: Array, found: Parameters) -> Parameters:
        """Return parameters with the tails at coordinates, the nearest there may be."""
        raise NotImplementedError

    @abstractmethod
    def draw_scales(
        self, parameters: Parameters, k: int, n: int, random: np.random.RandomState
    ) -> Array:
        """Draw factors of the covariance (n,) of a component's rows."""

    @abstractmethod
    def conditional(
        self, rest: Parameters, known: Parameters, distances: Array
    ) -> tuple[Parameters, Array]:
        """Return components given the values of some features, and factors of their scatter (k,).

        Parameters
        ----------
        rest : Parameters
            Of the joint components, whose tails are to be replaced.
        known : Parameters
            Marginal ones of the features that have values.
        distances : ndarray of shape (k,)
            Squared ones of the values.
        """

    @abstractmethod
    def variance_factors(self, known: Parameters, distances: Array) -> Array:
        """Return the variances given some features, in units of the scatter's, shape (k, b).

        Parameters are those of `conditional`, with distances (k, b).
        """


def positive_counts(moments: Moments) -> Array:
    """Return N_k, and 1 for components without rows, as divisors (k,)."""
    return np.where(moments.counts > 0, moments.counts, 1.0)
