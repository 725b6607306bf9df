"""Fitted mixtures to scikit-learn's classes and back: the same numbers, other types."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from sklearn.mixture import BayesianGaussianMixture
from sklearn.mixture import GaussianMixture as Reference
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from daskgmm.em.objective import Objective
from daskgmm.errors import ExchangeWarning
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.low_rank.precision import LowRank
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES, n_parameters, structure_name
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.files.sklearn_steps import coordinates_in, steps_of
from daskgmm.models.mixtures.fitted import set_arrays
from daskgmm.models.mixtures.mixture import Mixture
from daskgmm.models.settings.equal_weights import has_equal_weights
from daskgmm.models.settings.outliers import fitted_outliers
from daskgmm.user_warnings import warn_user

Kind = TypeVar("Kind", bound=Mixture)


def to_sklearn(mixture: Mixture, make: Callable[[Any], Any] | None = None) -> Any:
    """Return a fitted scikit-learn estimator with the same posteriors.

    `make` returns scikit-learn's counterpart of the mixture without its coordinates; by default
    that is a `GaussianMixture`.
    """
    if fitted_outliers(mixture) is not None:
        raise ValueError(
            "scikit-learn has no mixture with noise, or with tails but those of Gaussians: "
            "posteriors and densities would change. Use this mixture, or fit one with noise=False "
            "and tails=None."
        )
    reference = _reference(mixture) if make is None else make(mixture)
    coordinates: Coordinates | None = getattr(mixture, "coordinates_", None)
    names = getattr(mixture, "feature_names_in_", None)
    if coordinates is None:
        first: Any = reference
    else:
        facts = getattr(mixture, "fitted_on_", None) or {}
        steps = steps_of(coordinates, facts, scaled=bool(getattr(mixture, "standardise", False)))
        first = steps[0]
    if names is not None:
        first.feature_names_in_ = np.asarray(names, dtype=object)
    if coordinates is None:
        return reference
    return Pipeline([(type(step).__name__.lower(), step) for step in [*steps, reference]])


def from_sklearn(fitted: Any, kind: type[Kind]) -> Kind:
    """Return a mixture with the settings and the fitted attributes of scikit-learn's."""
    if not isinstance(fitted, Pipeline):
        return _alone(fitted, kind, {"standardise": False, "pca": None})
    *steps, last = [step for _, step in fitted.steps]
    _check_kind(last)
    coordinates, settings = coordinates_in(steps)
    mixture = _alone(last, kind, settings)
    mixture.__dict__.update(
        coordinates_=coordinates,
        _fitted_in=(mixture.standardise, mixture.pca),
        n_features_in_=coordinates.n_columns,
    )
    if mixture.means_init is not None:
        # Those of a mixture with coordinates are points of the data.
        mixture.means_init = coordinates.undo(np.asarray(mixture.means_init, np.float64))
    if hasattr(steps[0], "feature_names_in_"):
        mixture.feature_names_in_ = np.array(steps[0].feature_names_in_, dtype=object)
    return mixture


def _alone(fitted: Any, kind: type[Kind], settings: dict[str, Any]) -> Kind:
    """Return the mixture of scikit-learn's, with settings that it does not have."""
    _check_kind(fitted)
    check_is_fitted(fitted)
    mixture = _made(kind, {**fitted.get_params(deep=False), **settings})
    mixture._ended_with = Objective()
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


def _made(kind: type[Kind], settings: dict[str, Any]) -> Kind:
    """Return a mixture with the settings that its constructor takes; the class has the others.

    Those that the fitted attributes depend on have to be the same there.
    """
    taken = set(kind._get_param_names())
    mixture = kind(**{name: value for name, value in settings.items() if name in taken})
    for name in ("n_components", "covariance_type", "standardise", "pca"):
        own, given = getattr(mixture, name), settings[name]
        if name == "covariance_type":
            own = structure_name(own)
        # A part of the variance is a number of axes once it is fitted.
        part = name == "pca" and isinstance(own, float) and given is not None
        if name not in taken and own != given and not part:
            raise ValueError(
                f"{kind.__name__} has {name}={own!r}, and what scikit-learn fitted has "
                f"{name}={given!r}. Use daskgmm.GaussianMixture.from_sklearn, or fit "
                f"{kind.__name__} to the rows."
            )
    return mixture


def _check_kind(fitted: Any) -> None:
    if isinstance(fitted, Reference):
        return
    if isinstance(fitted, BayesianGaussianMixture):
        raise TypeError(
            "A BayesianGaussianMixture is not a mixture of Gaussians at its means: its posteriors "
            "are averaged over the uncertainty of weights and covariances (digamma terms, "
            "degrees of freedom), and would change. Use "
            "daskgmm.BayesianGaussianMixture.from_sklearn, or fit a GaussianMixture started from "
            "its weights_, means_ and precisions_."
        )
    raise TypeError(
        "from_sklearn takes a fitted sklearn.mixture.GaussianMixture, or a pipeline that ends in "
        f"one, not {type(fitted).__module__}.{type(fitted).__qualname__}."
    )


def _of_known_structure(parameters: Parameters) -> Parameters:
    """Return the same mixture with a covariance structure that scikit-learn has."""
    if parameters.structure in Reference._parameter_constraints["covariance_type"][0].options:
        return parameters
    structure, d = STRUCTURES[parameters.structure], parameters.n_features
    matrices, factors = structure.precision.matrices, parameters.precisions_cholesky
    covariances = matrices(parameters.covariances, d)
    return replace(
        parameters,
        structure="tied" if structure.shared else "full",
        covariances=covariances,
        precisions_cholesky=Dense().factorise(covariances)
        if isinstance(structure.precision, LowRank)
        else matrices(factors, d),
    )


def _warn_of_count(mixture: Mixture, given: Structure, known: Structure) -> None:
    """Warn where scikit-learn counts other parameters than the mixture has."""
    p, theirs = mixture._n_parameters(), n_parameters(known, *mixture.means_.shape)
    if p == theirs:
        return
    lacks = [f"covariance_type={given.name!r}"] * (given is not known)
    lacks += ["equal_weights"] * has_equal_weights(mixture)
    warn_user(
        f"scikit-learn has no {' and no '.join(lacks)}. The result predicts the same "
        f"with {known.name!r}, but its bic and aic count {theirs:,} parameters where this "
        f"mixture has {p:,}, and its fit is one of {known.name!r}. Take criteria from this "
        "mixture.",
        ExchangeWarning,
    )


def _likelihoods(mixture: Mixture) -> tuple[float, list[float]]:
    """Return the lower bound and those of all iterations; of log posteriors only the last tells."""
    if mixture._ended_with is not None and mixture._ended_with.prior is not None:
        return float(mixture._known_criteria()["log_likelihood"]), []
    bound = float(getattr(mixture, "lower_bound_", math.nan))
    return bound, list(getattr(mixture, "lower_bounds_", []))


def _reference(mixture: Mixture) -> Reference:
    parameters = mixture._parameters()
    settings = {name: getattr(mixture, name) for name in Reference().get_params()}
    coordinates: Coordinates | None = getattr(mixture, "coordinates_", None)
    if coordinates is not None and settings["means_init"] is not None:
        settings["means_init"] = coordinates.apply(np.asarray(settings["means_init"], np.float64))
    given, parameters = parameters.structure, _of_known_structure(parameters)
    _warn_of_count(mixture, STRUCTURES[given], STRUCTURES[parameters.structure])
    settings["covariance_type"] = parameters.structure
    reference = Reference(**settings)
    set_arrays(reference, parameters, copied=True)
    reference.converged_ = bool(getattr(mixture, "converged_", False))
    reference.n_iter_ = int(getattr(mixture, "n_iter_", 0))
    reference.lower_bound_, reference.lower_bounds_ = _likelihoods(mixture)
    reference.n_features_in_ = parameters.means.shape[1]
    return reference
