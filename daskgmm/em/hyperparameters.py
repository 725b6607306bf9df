"""The hyperparameters of a Bayesian mixture as users give them; None for what the rows tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.survey import Survey
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.normal_wishart import NormalWishart
from daskgmm.gaussian.weight_prior import WEIGHT_PRIORS, WeightPrior


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """Plain values, as settings are: arrays are nested tuples.

    Attributes
    ----------
    weight_prior : str
        A name in `WEIGHT_PRIORS`.
    weight_concentration, mean_precision, degrees_of_freedom : float or None
    mean : tuple of float, or None
    covariance : float, tuple, or None
        In the shape of scikit-learn: of one component.
    """

    weight_prior: str
    weight_concentration: float | None = None
    mean_precision: float | None = None
    mean: tuple[float, ...] | None = None
    degrees_of_freedom: float | None = None
    covariance: Any = None

    def of_weights(self, k: int) -> WeightPrior:
        """Return the prior of the weights, by default of the concentration 1 / k."""
        chosen = self.weight_concentration
        return WEIGHT_PRIORS[self.weight_prior](1.0 / k if chosen is None else chosen)

    def of_components(self, structure: Structure, survey: Survey, rows: float) -> NormalWishart:
        """Return the prior of means and precisions; `rows` count in the covariance of all rows."""
        d = len(survey.mean)
        return NormalWishart(
            1.0 if self.mean_precision is None else self.mean_precision,
            survey.mean if self.mean is None else np.array(self.mean),
            float(d) if self.degrees_of_freedom is None else self.degrees_of_freedom,
            self._scale(structure, survey, rows),
        )

    def _scale(self, structure: Structure, survey: Survey, rows: float) -> Array:
        d = len(survey.mean)
        if self.covariance is None:
            unbiased = survey.covariance * (rows / max(rows - 1.0, 1.0))
            covariance = structure.precision.of_matrices(unbiased[None])
        else:
            covariance = np.array(self.covariance).reshape(1, *structure.precision.shape(d))
        scale: Array = structure.precision.matrices(covariance, d)[0]
        return scale
