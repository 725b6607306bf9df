"""The table of estimators: what a model file may hold."""

from __future__ import annotations

from daskgmm.models.estimator import MixtureEstimator
from daskgmm.models.gaussian_mixture import GaussianMixture

ESTIMATORS: dict[str, type[MixtureEstimator]] = {"GaussianMixture": GaussianMixture}
"""Estimators by the names that model files have for them."""
