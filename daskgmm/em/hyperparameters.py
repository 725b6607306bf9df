"""The hyperparameters of a Bayesian mixture as users give them; None for what the rows tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.survey.survey import Survey
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.priors.normal_wishart import NormalWishart
from daskgmm.gaussian.priors.weight_prior import WEIGHT_PRIORS, WeightPrior

ROUNDING = 64 * float(np.finfo(np.float64).eps)
"""Relative size of what is no spread of rows but rounding."""

RIDGE = 1e-10
"""Part of a column's variance that a singular prior gets at least: with 1e-12 rounding lowered the
bound by up to 1e-4 nats per row, with 1e-14 by 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """Hyperparameters by scikit-learn's names, as plain values: arrays are nested tuples.

    Attributes
    ----------
    weight_concentration_prior_type : str
        A name in `WEIGHT_PRIORS`.
    weight_concentration_prior, mean_precision_prior, degrees_of_freedom_prior : float or None
    mean_prior : tuple of float, or None
    covariance_prior : float, tuple, or None
        Of one component.
    """

    weight_concentration_prior_type: str
    weight_concentration_prior: float | None = None
    mean_precision_prior: float | None = None
    mean_prior: tuple[float, ...] | None = None
    degrees_of_freedom_prior: float | None = None
    covariance_prior: Any = None

    def of_weights(self, k: int) -> WeightPrior:
        """Return the prior of the weights, by default of the concentration 1 / k."""
        concentration = _default(self.weight_concentration_prior, 1.0 / k)
        return WEIGHT_PRIORS[self.weight_concentration_prior_type](concentration)

    def of_components(
        self, structure: Structure, survey: Survey, rows: float, reg_covar: float
    ) -> NormalWishart:
        """Return the prior of means and precisions; `rows` count in the covariance of all rows."""
        d = len(survey.mean)
        degrees = _default(self.degrees_of_freedom_prior, float(d))
        if self.covariance_prior is None:
            scale = _covariance_of_rows(structure, survey, rows)
            if _is_singular(scale, survey):
                # Differs from scikit-learn, which fails: this would be no density.
                # In large units reg_covar alone would be rounded away.
                least = RIDGE * np.diagonal(scale) + (ROUNDING * _sizes(survey)) ** 2
                scale = scale + np.diag(np.maximum(degrees * reg_covar, least))
        else:
            given = np.array(self.covariance_prior).reshape(1, *structure.precision.shape(d))
            scale = structure.precision.matrices(given, d)[0]
        mean = survey.mean if self.mean_prior is None else np.array(self.mean_prior)
        return NormalWishart(_default(self.mean_precision_prior, 1.0), mean, degrees, scale)


def _default(given: float | None, default: float) -> float:
    return default if given is None else given


def _covariance_of_rows(structure: Structure, survey: Survey, rows: float) -> Array:
    """Return the unbiased covariance of all rows, (d, d), in the form of the structure."""
    unbiased = survey.covariance * (rows / max(rows - 1.0, 1.0))
    covariance = structure.precision.of_matrices(unbiased[None])
    matrix: Array = structure.precision.matrices(covariance, len(unbiased))[0]
    return matrix


def _sizes(survey: Survey) -> Array:
    """Return the largest absolute value of each column, (d,)."""
    sizes: Array = np.maximum(np.abs(survey.minimum), np.abs(survey.maximum))
    return sizes


def _is_singular(covariance: Array, survey: Survey) -> bool:
    """Return whether a covariance of rows is singular to rounding, whatever their units."""
    d, deviations = len(covariance), np.sqrt(np.diagonal(covariance))
    if (deviations <= ROUNDING * _sizes(survey)).any():
        return True
    correlations = covariance / np.outer(deviations, deviations)
    return bool(np.linalg.eigvalsh(correlations)[0] <= d * ROUNDING)
