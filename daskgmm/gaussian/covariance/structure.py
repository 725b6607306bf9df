"""What a covariance structure is: how covariances are held, what a pass keeps, and the M-step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.covariance.precision import Precision
from daskgmm.gaussian.covariance.statistic import Statistic
from daskgmm.gaussian.moments import Moments

Array = NDArray[np.float64]


class Structure(ABC):
    """The covariances that a mixture may have: one subclass, one file, a structure."""

    name: ClassVar[str]
    precision: ClassVar[Precision]
    """How covariances are held."""

    statistic: ClassVar[Statistic]
    """What a pass keeps for them."""

    shared: ClassVar[bool] = False
    """Whether all components have one covariance: the leading axis of arrays is then 1."""

    free: ClassVar[bool] = True
    """Whether covariances may be all that `precision` holds. If not, as where volumes are equal, EM
    is not accelerated: its coordinates are those of `precision`, and would leave the structure."""

    def __init_subclass__(cls) -> None:
        """Refuse a statistic that does not tell covariances of the form."""
        if not hasattr(cls, "precision") or not hasattr(cls, "statistic"):
            return
        if cls.statistic.pools and not cls.shared:
            raise TypeError(f"{cls.__name__} pools second moments, and covariances are not shared.")
        if cls.statistic.detail < cls.precision.detail:
            raise TypeError(
                f"{type(cls.statistic).__name__} keeps too little of the rows for covariances held "
                f"as {type(cls.precision).__name__}."
            )

    @abstractmethod
    def maximise(self, moments: Moments) -> Array:
        """Return the maximum likelihood covariances."""

    def n_covariance_parameters(self, k: int, d: int) -> int:
        """Return the number of free parameters of the covariances."""
        return self.n_covariances(k) * self.precision.n_parameters(d)

    def n_covariances(self, k: int) -> int:
        """Return m, the length of the leading axis."""
        return 1 if self.shared else k

    def n_statistics(self, d: int) -> int:
        """Return p, the number of entries of T(x)."""
        return self.statistic.size(d)

    def covariance_shape(self, k: int, d: int) -> tuple[int, ...]:
        """Return the shape of the covariances."""
        return (self.n_covariances(k), *self.precision.shape(d))

    def external_shape(self, k: int, d: int) -> tuple[int, ...]:
        """Return the shape that covariances have at scikit-learn's surface."""
        return (*(() if self.shared else (k,)), *self.precision.external_shape(d))

    def external(self, covariances: Array, d: int) -> Array:
        """Return covariances, precisions or factors in scikit-learn's shape."""
        return covariances.reshape(self.external_shape(len(covariances), d))

    def internal(self, covariances: Array, k: int, d: int) -> Array:
        """Return what `external` was given; raise `ValueError` at another shape."""
        if covariances.shape != self.external_shape(k, d):
            raise ValueError(
                f"{self.name} covariances, precisions or their factors of shape "
                f"{covariances.shape} were given for {k} components of {d} features; they have "
                f"the shape {self.external_shape(k, d)}."
            )
        return covariances.reshape(self.covariance_shape(k, d))

    def component(self, index: int) -> int | None:
        """Return the component that a covariance is of; None if of all."""
        return None if self.shared else index

    def repeat(self, covariance: Array, k: int) -> Array:
        """Return covariances that give every component the (d, d) one, as far as they can."""
        matrices = np.tile(covariance, (self.n_covariances(k), 1, 1))
        return self.precision.of_matrices(matrices)
