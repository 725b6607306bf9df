"""Standard errors of the parameters of a mixture, and the intervals that follow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import t

from daskgmm.arrays import Array
from daskgmm.counting import counted
from daskgmm.errors import SettingError
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.markup.carded import Carded, Sheet
from daskgmm.models.uncertainty.table import sheet, table


@dataclass(frozen=True, eq=False)
class Estimates:
    """The parameters that standard errors are of, in the shapes of the attributes of a mixture.

    Attributes
    ----------
    weights : ndarray of shape (k,)
    means : ndarray of shape (k, d)
    covariances : ndarray
    matrices : bool
        Whether covariances are matrices; else they are variances.
    shared : bool
        Whether all components have the same covariance.
    features : tuple of str, length d
        Names of the features.
    coordinates : Coordinates or None
        Of `standardise` and `pca`; None where parameters are in the units of the data.
    """

    weights: Array
    means: Array
    covariances: Array
    matrices: bool
    shared: bool
    features: tuple[str, ...]
    coordinates: Coordinates | None = None

    @property
    def along_axes(self) -> bool:
        """Whether features are principal axes."""
        return self.coordinates is not None and self.coordinates.axes is not None

    @property
    def standard_deviations(self) -> Array:
        """Roots of the variances."""
        return np.sqrt(self.variances(self.covariances))

    @property
    def is_variance(self) -> NDArray[np.bool_]:
        """Whether each entry of the covariances is a variance."""
        diagonal = np.eye(self.means.shape[1], dtype=bool) if self.matrices else np.array(True)
        return np.broadcast_to(diagonal, self.covariances.shape)

    def variances(self, covariances: Array) -> Array:
        """Return what is there for variances, of arrays shaped as the covariances or stacks."""
        return np.diagonal(covariances, axis1=-2, axis2=-1) if self.matrices else covariances


@dataclass(frozen=True, eq=False)
class Intervals:
    """Lower and upper ends of confidence intervals, on an axis of length 2 in front.

    Attributes
    ----------
    level : float
        Probability that an interval covers its parameter.
    weights : ndarray of shape (2, k)
    means : ndarray of shape (2, k, d)
    covariances : ndarray of shape (2, ...)
        Each entry, shaped as `covariances_`.
    standard_deviations : ndarray of shape (2, ...)
        Roots of the variances among the covariances.
    """

    level: float
    weights: Array
    means: Array
    covariances: Array
    standard_deviations: Array


@dataclass(frozen=True, eq=False)
class StandardErrors(Carded):
    """Standard errors of the parameters of a fitted mixture, in the shapes of its attributes.

    Attributes
    ----------
    weights : ndarray of shape (k,)
        Of `weights_`; 0 where they are fixed.
    means : ndarray of shape (k, d)
        Of `means_`, in their units.
    covariances : ndarray
        Of `covariances_`, entry by entry.
    standard_deviations : ndarray
        Of the roots of the variances, which are the diagonals where `covariances_` are matrices:
        shape (k, d) for "full" and "diag", (d,) for "tied" and "EEI", (k,) for "spherical", () for
        "EII".
    units : int
        Number of units whose scores vary; of weights that count, rows that they stand for.
    unit : {"block", "group", "row"}
        What they are: blocks of neighbouring rows, groups that were given, or single rows.
    rows : int
        Number of rows of positive weight.
    distance : float
        How far the parameters are from the maximum of the likelihood of the rows, in standard
        errors: the largest of all parameters.
    growth : float
        Largest ratio of a standard error from eight neighbouring blocks taken as one to that
        from single blocks: above 1 where rows depend on each other farther than a block; nan for
        few blocks, and other units.
    estimates : Estimates
        The parameters themselves.
    """

    weights: Array
    means: Array
    covariances: Array
    standard_deviations: Array
    units: int
    unit: str
    rows: int
    distance: float
    growth: float
    estimates: Estimates

    def intervals(self, level: float = 0.95) -> Intervals:
        r"""Return confidence intervals, each on a scale on which estimates are nearly normal.

        That is :math:`\log(\pi / (1 - \pi))` for weights, the logarithm for variances and standard
        deviations, and the parameter itself for means and the other entries of covariances.
        Quantiles are those of Student's t with one degree of freedom less than there are units.

        Parameters
        ----------
        level : float, default=0.95
            Probability that an interval covers its parameter, for each by itself.

        Raises
        ------
        SettingError
            If `level` is not between 0 and 1.
        """
        if not 0.0 < level < 1.0:
            raise SettingError(f"level is {level!r}; give a probability, between 0 and 1.")
        half = float(t.ppf((1.0 + level) / 2.0, self.units - 1))
        own, ends = self.estimates, half * np.array([-1.0, 1.0])
        # Entries that are no variances have any sign and size: they are no logarithms.
        scale = np.where(own.is_variance, own.covariances, np.inf)
        logarithmic = own.covariances * np.exp(np.multiply.outer(ends, self.covariances / scale))
        linear = own.covariances + np.multiply.outer(ends, self.covariances)
        covariances = np.where(own.is_variance, logarithmic, linear)
        return Intervals(
            level=float(level),
            weights=_logistic(own.weights, self.weights, ends),
            means=own.means + np.multiply.outer(ends, self.means),
            covariances=covariances,
            standard_deviations=np.sqrt(own.variances(covariances)),
        )

    def in_data_units(self) -> StandardErrors:
        """Return the same in the units of the data: those of standardised columns times scales.

        The scales are taken as known. Of "spherical" and "EII" there is a variance of each column,
        of shapes (k, d) and (d,), as columns have units of their own.

        Returns
        -------
        StandardErrors
            Itself where no columns were standardised.

        Raises
        ------
        SettingError
            After `pca`: columns mix the axes, whose errors depend on each other.
        """
        own = self.estimates
        if own.coordinates is None:
            return self
        if own.along_axes:
            raise SettingError(
                "Standard errors after pca are those along principal axes: columns mix these. Fit "
                "without pca, or read the table."
            )
        scales = own.coordinates.scales

        def scaled(covariances: Array) -> Array:
            if own.matrices:
                return covariances * np.outer(scales, scales)
            one = covariances.ndim == (0 if own.shared else 1)
            return (covariances[..., None] if one else covariances) * scales**2

        estimates = replace(
            own,
            means=own.coordinates.undo(own.means),
            covariances=scaled(own.covariances),
            coordinates=None,
        )
        errors = scaled(self.covariances)
        return replace(
            self,
            means=self.means * scales,
            covariances=errors,
            standard_deviations=estimates.variances(errors) / (2.0 * estimates.standard_deviations),
            estimates=estimates,
        )

    def table(self, level: float = 0.95) -> str:
        """Return estimates, standard errors and confidence intervals, a line for each parameter.

        They are in the units of the data; after `pca` along the axes, which the first line says.

        Parameters
        ----------
        level : float, default=0.95
            Probability that an interval covers its parameter.

        Returns
        -------
        str
            Lines for weights, means and standard deviations: components by their numbers,
            features by their names. `print(errors)` writes it below what `repr` says.
        """
        return table(self, level)

    def __str__(self) -> str:
        return f"{self._title()}\n\n{self.table()}"

    def __repr__(self) -> str:
        return f"<{self._title()}>"

    def _sheet(self) -> Sheet:
        return sheet(self, self._title())

    def _title(self) -> str:
        k, d = self.means.shape
        rows, units = counted(self.rows, "row"), counted(self.units, self.unit)
        if self.unit == "row":
            told = rows if self.units == self.rows else f"{rows} that stand for {self.units:,}"
        else:
            told = f"{rows} in {units}"
        return (
            f"StandardErrors of {counted(k, 'component')} in {counted(d, 'feature')}, from {told}"
        )


def _logistic(shares: Array, errors: Array, ends: Array) -> Array:
    """Return intervals of shares, symmetric in log odds; those of fixed ones have no width."""
    free = errors > 0
    rest = np.where(free, 1.0 - shares, 1.0)
    width = np.where(free, errors / (shares * rest), 0.0)
    found = expit(logit(shares) + np.multiply.outer(ends, width))
    return np.asarray(np.where(free, found, shares))
