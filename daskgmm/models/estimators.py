"""The table of estimators: what a model file may hold."""

from __future__ import annotations

from daskgmm.models.bayesian_mixture import BayesianGaussianMixture
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.gaussian_mixture import GaussianMixture

ESTIMATORS: dict[str, type[MixtureEstimator]] = {
    kind.__name__: kind for kind in (GaussianMixture, BayesianGaussianMixture)
}
"""Estimators by the names that model files have for them."""
