"""Fitted mixtures to scikit-learn's classes and back: the same numbers, other types."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.mixture import BayesianGaussianMixture
from sklearn.mixture import GaussianMixture as Reference
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.structures import STRUCTURES
from daskgmm.models.mixture import Mixture

Kind = TypeVar("Kind", bound=Mixture)


def to_sklearn(mixture: Mixture) -> Any:
    """Return a fitted scikit-learn estimator with the same posteriors.

    Returns
    -------
    sklearn.mixture.GaussianMixture or sklearn.pipeline.Pipeline
        The latter where the mixture has coordinates: what came before it is fitted as well.
    """
    reference = _reference(mixture)
    coordinates: Coordinates | None = getattr(mixture, "coordinates_", None)
    names = getattr(mixture, "feature_names_in_", None)
    if coordinates is None:
        first: Any = reference
    else:
        facts = getattr(mixture, "fitted_on_", None) or {}
        steps = [_scaler(coordinates, facts)]
        if coordinates.axes is not None:
            steps.append(_axes(coordinates, facts))
        first = steps[0]
    if names is not None:
        first.feature_names_in_ = np.asarray(names, dtype=object)
    if coordinates is None:
        return reference
    return Pipeline([(type(step).__name__.lower(), step) for step in [*steps, reference]])


def from_sklearn(fitted: Any, kind: type[Kind]) -> Kind:
    """Return a mixture with the settings and the fitted attributes of scikit-learn's.

    Raises
    ------
    TypeError
        If it is no `sklearn.mixture.GaussianMixture`.
    NotFittedError
        If it is not fitted.
    """
    _check_kind(fitted)
    check_is_fitted(fitted)
    mixture = kind(**fitted.get_params(deep=False))
    structure = STRUCTURES[fitted.covariance_type]
    mixture._fitted_structure = structure.name
    for name in ("weights_", "means_", "precisions_cholesky_"):
        setattr(mixture, name, np.array(getattr(fitted, name), np.float64))
    k, d = mixture.means_.shape
    factors = structure.internal(mixture.precisions_cholesky_, k, d)
    # Who builds scikit-learn's by hand sets what it predicts with, and no more.
    covariances = getattr(fitted, "covariances_", None)
    mixture.covariances_ = (
        structure.external(structure.precision.covariances(factors), d)
        if covariances is None
        else np.array(covariances, np.float64)
    )
    mixture.precisions_ = structure.external(structure.precision.precisions(factors), d)
    mixture.converged_ = bool(getattr(fitted, "converged_", False))
    mixture.n_iter_ = int(getattr(fitted, "n_iter_", 0))
    mixture.lower_bound_ = float(getattr(fitted, "lower_bound_", math.nan))
    mixture.lower_bounds_ = [float(bound) for bound in getattr(fitted, "lower_bounds_", [])]
    mixture.gap_estimate_ = math.nan
    mixture.n_features_in_ = mixture.means_.shape[1]
    if hasattr(fitted, "feature_names_in_"):
        mixture.feature_names_in_ = np.array(fitted.feature_names_in_, dtype=object)
    return mixture


def _check_kind(fitted: Any) -> None:
    if isinstance(fitted, Reference):
        return
    if isinstance(fitted, BayesianGaussianMixture):
        raise TypeError(
            "A BayesianGaussianMixture is no mixture of Gaussians at its means: its posteriors "
            "are averaged over the uncertainty of weights and covariances (digamma terms, "
            "degrees of freedom), and would change. Keep it as it is, or fit a GaussianMixture "
            "started from its weights_, means_ and precisions_."
        )
    advice = " Give its last step, and rows in its coordinates." * isinstance(fitted, Pipeline)
    raise TypeError(
        f"from_sklearn takes a fitted sklearn.mixture.GaussianMixture, not "
        f"{type(fitted).__module__}.{type(fitted).__qualname__}.{advice}"
    )


def _of_known_structure(parameters: Parameters) -> Parameters:
    """Return the same mixture with a covariance structure that scikit-learn has."""
    if parameters.structure in Reference._parameter_constraints["covariance_type"][0].options:
        return parameters
    structure, d = STRUCTURES[parameters.structure], parameters.n_features
    return replace(
        parameters,
        structure="tied" if structure.shared else "full",
        covariances=structure.precision.matrices(parameters.covariances, d),
        precisions_cholesky=structure.precision.matrices(parameters.precisions_cholesky, d),
    )


def _reference(mixture: Mixture) -> Reference:
    parameters = mixture._parameters()
    known = set(Reference().get_params())
    settings = {
        name: value for name, value in mixture.get_params(deep=False).items() if name in known
    }
    parameters = _of_known_structure(parameters)
    settings["covariance_type"] = parameters.structure
    reference = Reference(**settings)
    reference.weights_ = parameters.weights.copy()
    reference.means_ = parameters.means.copy()
    structure, d = STRUCTURES[parameters.structure], parameters.n_features
    factors = parameters.precisions_cholesky
    reference.covariances_ = structure.external(parameters.covariances, d).copy()
    reference.precisions_cholesky_ = structure.external(factors, d).copy()
    reference.precisions_ = structure.external(structure.precision.precisions(factors), d)
    reference.converged_ = bool(getattr(mixture, "converged_", False))
    reference.n_iter_ = int(getattr(mixture, "n_iter_", 0))
    reference.lower_bound_ = float(getattr(mixture, "lower_bound_", math.nan))
    reference.lower_bounds_ = list(getattr(mixture, "lower_bounds_", []))
    reference.n_features_in_ = parameters.means.shape[1]
    return reference


def _scaler(coordinates: Coordinates, facts: Mapping[str, Any]) -> StandardScaler:
    scaler = StandardScaler(with_std=bool((coordinates.scales != 1).any()))
    scaler.mean_ = coordinates.origin.copy()
    scaler.scale_ = coordinates.scales.copy() if scaler.with_std else None
    scaler.var_ = coordinates.scales**2 if scaler.with_std else None
    lowest = np.asarray(facts.get("minimum", ()))
    if scaler.with_std and len(lowest) == coordinates.n_columns:
        # The scale of constant columns is 1, so that nothing is divided by 0.
        scaler.var_[lowest == np.asarray(facts["maximum"])] = 0.0
    scaler.n_features_in_ = coordinates.n_columns
    if (n := _samples(facts)) is not None:
        scaler.n_samples_seen_ = n
    return scaler


def _axes(coordinates: Coordinates, facts: Mapping[str, Any]) -> PCA:
    """Return the fitted PCA; its variances as far as they are known."""
    assert coordinates.axes is not None
    pca = PCA(n_components=coordinates.n_features, svd_solver="covariance_eigh")
    pca._fit_svd_solver = pca.svd_solver
    pca.mean_ = np.zeros(coordinates.n_columns)  # the scaler has taken it
    pca.components_ = np.ascontiguousarray(coordinates.axes.T)
    pca.n_components_ = coordinates.n_features
    pca.n_features_in_ = coordinates.n_columns
    n = _samples(facts)
    if n is not None:
        pca.n_samples_ = n
    if coordinates.explained is not None:
        pca.explained_variance_ratio_ = coordinates.explained.copy()
        if coordinates.variances is not None:
            _set_variances(pca, coordinates.variances, n)
    return pca


def _set_variances(pca: PCA, variances: NDArray[np.float64], n: int | float | None) -> None:
    """Set what scikit-learn divides by one row less; without a number of rows all are alike."""
    rows = math.inf if n is None else max(float(n), 1.0 + np.finfo(float).eps)
    unbiased = 1.0 if math.isinf(rows) else rows / (rows - 1)
    pca.explained_variance_ = variances * unbiased
    left, ratio = pca.n_features_in_ - pca.n_components_, pca.explained_variance_ratio_.sum()
    pca.noise_variance_ = 0.0
    if left and ratio > 0:
        pca.noise_variance_ = pca.explained_variance_.sum() * max(0.0, 1 / ratio - 1) / left
    if n is not None:
        pca.singular_values_ = np.sqrt(variances * rows)


def _samples(facts: Mapping[str, Any]) -> int | float | None:
    """Return how many rows there were, or their weight; None if unknown."""
    n = facts.get("weight") if facts.get("weight") is not None else facts.get("rows")
    return n if n is None or n % 1 else int(n)
