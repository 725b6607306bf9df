"""What a fitted mixture is over some columns of the data: for pictures, which are of one or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2, f, norm, t

from daskgmm.arrays import Array
from daskgmm.errors import SettingError
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.density.column_moments import (
    column_covariances,
    column_means,
    column_variances,
)
from daskgmm.gaussian.density.data_units import with_moments
from daskgmm.gaussian.density.log_joint import log_joint, squared_distances
from daskgmm.gaussian.parameters import Parameters
from daskgmm.readers import remedy


@dataclass(frozen=True, slots=True)
class Marginals:
    """The components of a mixture over c columns of the data, in their units.

    Attributes
    ----------
    parameters : Parameters
        Of the mixture in its own coordinates: weights and tails are these.
    means : ndarray of shape (k, c)
    covariances : ndarray of shape (k, c, c)
        Of Student-t and contaminated components their scatter matrices. May be singular.
    box : ndarray of shape (2, c), or None
        Corners of what the noise is uniform over, if there is noise and they are known.
    """

    parameters: Parameters
    means: Array
    covariances: Array
    box: Array | None = None

    @property
    def weights(self) -> Array:
        """Weights of the components, shape (k,); what is left to 1 is the noise's."""
        return self.parameters.weights

    def of(self, places: Sequence[int]) -> Marginals:
        """Return those over some of these columns."""
        own = np.asarray(places, np.intp)
        covariances = self.covariances[:, own[:, None], own]
        box = None if self.box is None else self.box[:, own]
        return replace(self, means=self.means[:, own], covariances=covariances, box=box)

    def densities(self, points: Array) -> Array:
        """Return the weighted density of each component at points (b, c), shape (k, b).

        Raises
        ------
        SettingError
            If a component has no density over these columns.
        """
        bare = replace(self.parameters, noise_weight=None, log_volume=None, log_weights=None)
        try:
            over = with_moments(bare, "full", self.means, self.covariances)
        except SingularError as error:
            raise SettingError(
                f"Component {error.index} has no density over these features: it has no variance "
                f"along some direction, as axes that pca left out have none. Give "
                f"{remedy('X', 'DATA')}, whose density is drawn instead, or fit with more axes."
            ) from error
        density: Array = np.exp(log_joint(over, squared_distances(over, points)))
        return density

    def noise_density(self, points: Array) -> Array:
        """Return the weighted density of the noise at points (b, c), shape (b,).

        0 if a column is constant: all noise is at its value, so that it has no density.
        """
        weight = self.parameters.noise_weight
        if weight is None or self.box is None:
            return np.zeros(len(points))
        low, high = self.box
        if not (high > low).all():
            return np.zeros(len(points))
        inside = ((points >= low) & (points <= high)).all(axis=1)
        return np.where(inside, weight / np.prod(high - low), 0.0)

    def radii(self, coverage: float) -> Array:
        """Return the Mahalanobis distance within which a component has this share, (k,)."""
        own, c = self.parameters, self.means.shape[1]
        if own.degrees is not None:
            return np.asarray(np.sqrt(c * f.ppf(coverage, c, own.degrees)))
        plain = float(chi2.ppf(coverage, c))
        if own.clean is None or own.inflation is None:
            return np.full(own.n_components, np.sqrt(plain))
        return np.array(
            [
                np.sqrt(_contaminated(coverage, plain, c, clean, inflation))
                for clean, inflation in zip(own.clean, own.inflation, strict=True)
            ]
        )


def marginals_of(mixture: Any, columns: Sequence[int]) -> Marginals:
    """Return the components of a fitted mixture over some columns of the data."""
    parameters, coordinates = mixture._parameters(), mixture._coordinates()
    chosen = np.asarray(columns, np.intp)
    box = _box(mixture)
    return Marginals(
        parameters,
        column_means(parameters, coordinates)[:, chosen],
        column_covariances(parameters, coordinates, columns),
        None if box is None or not parameters.has_noise else box[:, chosen],
    )


def ranges_of_rows(mixture: Any, columns: Sequence[int]) -> Array | None:
    """Return the smallest and largest values of the rows of the fit, (2, c), if they are known."""
    box = _box(mixture)
    return None if box is None else box[:, np.asarray(columns, np.intp)]


def means_and_deviations(mixture: Any) -> tuple[Array, Array]:
    """Return means and standard deviations of the components in all columns, (k, d) each."""
    parameters, coordinates = mixture._parameters(), mixture._coordinates()
    deviations = np.sqrt(np.maximum(column_variances(parameters, coordinates), 0.0))
    return column_means(parameters, coordinates), deviations


def quantiles_of(parameters: Parameters, probability: float) -> Array:
    """Return a quantile of each component, in its deviations from its mean, shape (k,)."""
    if parameters.degrees is not None:
        return np.asarray(t.ppf(probability, parameters.degrees))
    sign = np.sign(probability - 0.5)
    if parameters.clean is None or parameters.inflation is None or not sign:
        return np.full(parameters.n_components, norm.ppf(probability))
    inside = abs(2 * probability - 1)
    plain = float(chi2.ppf(inside, 1))
    both = zip(parameters.clean, parameters.inflation, strict=True)
    return float(sign) * np.sqrt([_contaminated(inside, plain, 1, *each) for each in both])


def _contaminated(coverage: float, plain: float, c: int, clean: float, inflation: float) -> float:
    """Return the squared distance that has this share of a Gaussian with a wider part."""

    def missing(squared: float) -> float:
        wide = chi2.cdf(squared / inflation, c)
        return float(clean * chi2.cdf(squared, c) + (1 - clean) * wide - coverage)

    # Of the narrow part alone, and of the wide one alone.
    low, high = plain, plain * max(1.0, inflation)
    return low if missing(low) >= 0 else float(brentq(missing, low, high * (1 + 1e-9)))


def _box(mixture: Any) -> Array | None:
    facts = getattr(mixture, "fitted_on_", None) or {}
    if "minimum" not in facts or "maximum" not in facts:
        return None
    return np.array([facts["minimum"], facts["maximum"]], np.float64)
