"""Arguments of `map_adapt`, and the mixture that it returns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from numbers import Integral, Real
from typing import Any, TypeVar

from daskgmm.em.survey.weighing import RELATIVE, Weighing
from daskgmm.errors import SettingError
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.facts.fitted_on import has_known_noise
from daskgmm.models.facts.order import NUMBERED
from daskgmm.models.facts.seen import SEEN
from daskgmm.models.inputs.source_name import source_name
from daskgmm.models.mixtures.fitted import set_arrays
from daskgmm.names import ADAPTED

OF_THE_FIT = (
    "converged_", "n_iter_", "history_", "lower_bound_", "lower_bounds_", "gap_estimate_",
    "fitted_on_", *SEEN, "_criteria", "_discount", "_doubt", "_ended", "_ended_with",
    "_scatter", "_degenerate",
)  # fmt: skip
"""Attributes that say how a mixture was fitted, and are not those of an adapted one."""

BACKGROUND = ("model", "source", "rows", "sha256")
"""What is said of the mixture that was adapted, as far as it is known."""

Kind = TypeVar("Kind")


def relevances_of(
    structure: str, relevance: float | Mapping[str, float], parameters: Sequence[str]
) -> dict[str, float]:
    """Return the relevance of each kind of parameter; raise `SettingError` for what has none."""
    names = (parameters,) if isinstance(parameters, str) else tuple(parameters)
    if not names or not set(names) <= set(ADAPTED):
        raise SettingError(
            f"parameters is {parameters!r} (--parameters); give some of {', '.join(ADAPTED)}."
        )
    if "means" in names and STRUCTURES[structure].constrains_means:
        raise SettingError(
            f"Means of the structure {structure!r} cannot be adapted: those of components with "
            "other numbers of rows would leave its subspace. Adapt weights, or fit with another "
            "covariance_type."
        )
    if "covariances" in names and not STRUCTURES[structure].free:
        raise ValueError(
            f"Covariances of the structure {structure!r} cannot be adapted: the mean of two of "
            "them is none. Adapt means and weights, or fit with another covariance_type."
        )
    given = relevance if isinstance(relevance, Mapping) else dict.fromkeys(names, relevance)
    if set(given) != set(names):
        raise SettingError(
            f"relevance is for {', '.join(map(str, given))}, and parameters are "
            f"{', '.join(names)}. Give one number, or one for each of parameters."
        )
    values: Mapping[str, Any] = given
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Real) or not float(value) >= 0:
            raise SettingError(
                f"The relevance of {name} is {value!r}; give a number of rows, >= 0."
            )
    return {name: float(value) for name, value in values.items()}


def check_gaussian(mixture: Any, parameters: Parameters) -> None:
    """Raise `ValueError` for a mixture that is more than Gaussians of exact rows."""
    if has_known_noise(mixture):
        raise ValueError(
            "A mixture that was fitted with noise_variance cannot be adapted: rows are taken as "
            "exact. Fit again to all rows, with noise_variance."
        )
    if parameters.makes_room:
        raise ValueError(
            "A mixture with room for outliers (noise, tails) cannot be adapted: the formulas of "
            "adaptation are those of Gaussian components. Fit one without."
        )
    if parameters.log_weights is not None:
        raise ValueError(
            "A variational posterior cannot be adapted: fit it again with its mean_prior and "
            "covariance_prior, or adapt a GaussianMixture."
        )


def check_passes(n_iter: Any) -> None:
    """Raise `ValueError` unless it is a positive whole number."""
    if isinstance(n_iter, bool) or not isinstance(n_iter, Integral) or n_iter < 1:
        raise ValueError(f"n_iter is {n_iter!r}; give a number of passes, 1 or more.")


def adapted_to(x: Any, weighing: Weighing, weights_are: str | None) -> dict[str, Any]:
    """Return what is known of the rows that a mixture is adapted to, in plain values."""
    return {
        "source": source_name(x),
        "rows": weighing.rows,
        "weight": weighing.total,
        "effective_rows": weighing.counted(RELATIVE),
        "weights_are": weights_are,
    }


def background_of(mixture: Any) -> dict[str, Any]:
    """Return what is known of the fit of a mixture, or of the one that it was adapted from."""
    adapted = getattr(mixture, "adapted_", None) or {}
    facts = getattr(mixture, "fitted_on_", None) or adapted.get("background") or {}
    return {name: facts[name] for name in BACKGROUND if facts.get(name) is not None}


def with_parameters(mixture: Kind, parameters: Parameters) -> Kind:
    """Return a mixture of the same class, settings and features with other parameters.

    Nothing that the fit of the first one found is known of it.
    """
    other: Any = copy(mixture)
    for name in (*OF_THE_FIT, "adapted_", *NUMBERED):
        other.__dict__.pop(name, None)
    set_arrays(other, parameters, copied=True)
    other.converged_, other.n_iter_ = False, 0
    other.lower_bound_, other.lower_bounds_, other.gap_estimate_ = math.nan, [], math.nan
    found: Kind = other
    return found


def as_adapted(mixture: Kind, parameters: Parameters, facts: Mapping[str, Any]) -> Kind:
    """Return an adapted mixture, which says how it was made."""
    other: Any = with_parameters(mixture, parameters)
    other.adapted_, other.n_iter_ = dict(facts), int(facts["n_iter"])
    found: Kind = other
    return found
