"""Posteriors of Bayesian mixtures in model files, and to scikit-learn's class and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.mixture import BayesianGaussianMixture
from sklearn.utils.validation import check_is_fitted

from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.models.files.entries import array_of

FITTED = (
    "weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_",
    "weight_concentration_prior_", "weight_concentration_", "mean_precision_prior_",
    "mean_precision_", "mean_prior_", "degrees_of_freedom_prior_", "degrees_of_freedom_",
    "covariance_prior_",
)  # fmt: skip
"""Attributes that both have, and predictions and further steps depend on."""


def posterior_to_sklearn(mixture: Any) -> BayesianGaussianMixture:
    """Return scikit-learn's estimator of the same posterior.

    It has no `lower_bound_`: scikit-learn's is another.
    """
    names = BayesianGaussianMixture().get_params()
    settings = {name: getattr(mixture, name) for name in names}
    settings["covariance_type"] = mixture._structure_name
    reference = BayesianGaussianMixture(**settings)
    _copy(mixture, reference)
    reference.lower_bound_, reference.lower_bounds_ = math.nan, []
    reference.n_features_in_ = mixture.means_.shape[1]
    return reference


def posterior_from_sklearn(fitted: Any, kind: type[Any]) -> Any:
    """Return a mixture of this library with the posterior of scikit-learn's."""
    if not isinstance(fitted, BayesianGaussianMixture):
        raise TypeError(
            "from_sklearn takes a fitted sklearn.mixture.BayesianGaussianMixture, not "
            f"{type(fitted).__module__}.{type(fitted).__qualname__}. Of a GaussianMixture take "
            "daskgmm.GaussianMixture.from_sklearn."
        )
    check_is_fitted(fitted)
    mixture = kind(**fitted.get_params(deep=False))
    _copy(fitted, mixture)
    mixture._fitted_structure = fitted.covariance_type
    mixture.lower_bound_ = mixture.gap_estimate_ = math.nan
    mixture.lower_bounds_ = []
    mixture.n_features_in_ = fitted.means_.shape[1]
    if hasattr(fitted, "feature_names_in_"):
        mixture.feature_names_in_ = np.array(fitted.feature_names_in_, dtype=object)
    return mixture


def _copy(one: Any, other: Any) -> None:
    for name in FITTED:
        value = getattr(one, name)
        copied = tuple(map(_float64, value)) if isinstance(value, tuple) else _float64(value)
        setattr(other, name, copied)
    other.converged_, other.n_iter_ = bool(one.converged_), int(one.n_iter_)


def _float64(value: Any) -> Any:
    """Return a copy of an array, or a number, as float64."""
    return np.array(value, np.float64)[()]


NUMBERS = ("weight_concentration_prior", "mean_precision_prior", "degrees_of_freedom_prior")
ARRAYS = ("mean_precision", "degrees_of_freedom", "mean_prior", "covariance_prior")


def posterior_entries(mixture: Any) -> dict[str, Any]:
    """Return the entry of a fitted Bayesian mixture, by its name."""
    given = mixture.weight_concentration_
    found = {name: float(getattr(mixture, f"{name}_")) for name in NUMBERS}
    arrays = {name: np.asarray(getattr(mixture, f"{name}_")).tolist() for name in ARRAYS}
    concentrations = given if isinstance(given, tuple) else (given,)
    weights = [np.asarray(each).tolist() for each in concentrations]
    return {"posterior": {"weight_concentration": weights, **arrays, **found}}


def set_posterior(mixture: Any, document: Mapping[str, Any]) -> None:
    """Set the attributes of a Bayesian mixture from a document; raise `ValueError` for damage."""
    given, structure = document["posterior"], STRUCTURES[mixture._structure_name]
    if not isinstance(given, Mapping):
        raise ValueError("'posterior' is not an object")
    k, d = mixture.means_.shape
    process = mixture.weight_concentration_prior_type == "dirichlet_process"
    weights = array_of(given, "weight_concentration", (2 if process else 1, k))
    shapes = {
        "mean_precision": (k,),
        "degrees_of_freedom": () if structure.shared else (k,),
        "mean_prior": (d,),
        "covariance_prior": structure.precision.external_shape(d),
    }
    arrays = {name: array_of(given, name, shape)[()] for name, shape in shapes.items()}
    numbers = {name: float(array_of(given, name, ())) for name in NUMBERS}
    positive = weights, arrays["mean_precision"], arrays["degrees_of_freedom"] - (d - 1)
    if not all((np.asarray(each) > 0).all() for each in positive):
        raise ValueError("'posterior' has parameters of no distribution")
    mixture.weight_concentration_ = tuple(weights) if process else weights[0]
    for name, value in {**arrays, **numbers}.items():
        setattr(mixture, f"{name}_", value)
