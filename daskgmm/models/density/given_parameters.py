"""Mixtures that are made of parameters, not fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from daskgmm.arrays import Array
from daskgmm.counting import counted
from daskgmm.em.objective import Objective
from daskgmm.errors import SettingError
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES, structure_name
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tails import tail_of
from daskgmm.models.mixtures.adaptation import with_parameters
from daskgmm.models.settings.factors import settings_of
from daskgmm.models.settings.outliers import set_outliers
from daskgmm.rows.checks.plain import unmasked

Kind = TypeVar("Kind")

PLAIN = ("full", "tied", "diag", "spherical")
"""Structures that the shape of covariances is taken for."""

TOLD = ("n_components", "n_factors", "standardise", "pca", "noise", "tails")
"""Settings that parameters tell, or that they are not of."""

ROUNDING = 1e-8
"""By how much the sum of weights may differ from 1, and a covariance from its transpose in units
of its standard deviations."""


def given_parameters(
    weights: Any, means: Any, covariances: Any, covariance_type: str | None
) -> Parameters:
    """Return the parameters of a mixture as a user gives them.

    Raises
    ------
    SettingError
        If shapes do not go together, or a number is not allowed; it names the component.
    """
    weights, means = _array("weights", weights, 1), _array("means", means, 2)
    given = _array("covariances", covariances)
    k, d = means.shape
    if k == 0 or d == 0:
        raise SettingError(f"means has the shape {means.shape}; give a component and a column.")
    if weights.shape != (k,):
        raise SettingError(
            f"weights has the shape {weights.shape}, and means that of {counted(k, 'component')} "
            f"in {counted(d, 'column')}. Give ({k},) weights."
        )
    _check_weights(weights)
    _check_finite("means", means)
    structure = _structure(covariance_type, given.shape, k, d)
    try:
        inner = structure.internal(given, k, d)
    except ValueError as error:
        raise SettingError(str(error)) from error
    _check_covariances(structure, inner)
    try:
        factors = structure.precision.factorise(inner)
    except SingularError as error:
        raise SettingError(
            f"The covariance {_of(structure, error.index)} is not positive definite. Give one with "
            "positive variances in every direction, such as with a small number added to its "
            "diagonal."
        ) from error
    return Parameters(structure.name, weights / weights.sum(), means, inner, factors)


def made_of(
    kind: type[Kind],
    parameters: Parameters,
    settings: Mapping[str, Any],
    names: Sequence[str] | None = None,
) -> Kind:
    """Return an estimator of a kind with these parameters, as if it were fitted to the data.

    Parameters
    ----------
    kind : type
        `GaussianMixture` or one made from it.
    parameters : Parameters
        Without noise, in the units of the data.
    settings : mapping
        Settings of the estimator, none of those that parameters tell.
    names : sequence of str, optional
        Of the columns.
    """
    tail = tail_of(parameters)
    told = {
        "n_components": parameters.n_components,
        "tails": None if tail is None else tail.name,
        **settings_of(parameters.structure),
    }
    mixture: Any = with_parameters(kind(**settings, **told), parameters)
    set_outliers(mixture, parameters)
    mixture._ended_with, mixture._fitted_structure = Objective(), parameters.structure
    mixture.n_features_in_ = parameters.n_features
    if names is not None:
        mixture.feature_names_in_ = np.asarray(names, dtype=object)
    made: Kind = mixture
    return made


def check_names(names: Sequence[str] | None, d: int) -> None:
    """Raise `SettingError` unless there are as many names as columns, all different."""
    if names is None:
        return
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise SettingError(f"feature_names is {names!r}; give a list of names.")
    if len(names) != d or len(set(names)) != d:
        raise SettingError(
            f"feature_names has {len(set(names))} different names, and means "
            f"{counted(d, 'column')}. Give a name for each column."
        )


def check_kept(settings: Mapping[str, Any]) -> None:
    """Raise `SettingError` for settings that parameters in the units of the data do not have."""
    refused = [name for name in TOLD if settings.get(name)]
    if refused:
        raise SettingError(
            f"{' and '.join(refused)} cannot be given with parameters: these are of Gaussians in "
            "the units of the data, and tell the rest. Set it afterwards, for a fit: "
            f"mixture.set_params({refused[0]}={settings[refused[0]]!r})."
        )


def _array(name: str, given: Any, rank: int | None = None) -> Array:
    given = unmasked(given, name)
    try:
        array = np.array(given, np.float64)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{name} is not an array of numbers: {error}.") from error
    if rank is not None and array.ndim != rank:
        shape = {1: "(k,)", 2: "(k, d)"}[rank]
        raise SettingError(f"{name} has the shape {array.shape}; give an array of shape {shape}.")
    return array


def _check_weights(weights: Array) -> None:
    _check_finite("weights", weights)
    if (weights < 0).any():
        k = int(np.argmax(weights < 0))
        raise SettingError(f"The weight of component {k} is {weights[k]:g}; give none below 0.")
    total = float(weights.sum())
    if abs(total - 1.0) > ROUNDING:
        raise SettingError(
            f"The weights sum to {total:.10g}, not to 1. Divide them: weights / weights.sum()."
        )


def _check_finite(name: str, values: Array) -> None:
    bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if bad.any():
        k = int(np.argmax(bad))
        raise SettingError(f"{name} of component {k} is not finite: {values[k]}.")


def _structure(name: str | None, shape: tuple[int, ...], k: int, d: int) -> Structure:
    """Return the structure that is named, or that the shape of covariances tells."""
    if name is not None:
        known = structure_name(name)
        if known not in STRUCTURES or not STRUCTURES[known].free:
            free = ", ".join(repr(each.name) for each in STRUCTURES.values() if each.free)
            raise SettingError(
                f"covariance_type is {name!r}; give one of {free}, whose covariances may be any. "
                "Covariances of any other structure are also of 'full' or 'diag'."
            )
        return STRUCTURES[known]
    told = [each for each in PLAIN if STRUCTURES[each].external_shape(k, d) == shape]
    if len(told) == 1:
        return STRUCTURES[told[0]]
    if told:
        raise SettingError(
            f"covariances of shape {shape} are those of covariance_type "
            f"{' or '.join(map(repr, told))}. Say which."
        )
    shapes = ", ".join(f"{STRUCTURES[each].external_shape(k, d)} ({each})" for each in PLAIN)
    raise SettingError(
        f"covariances has the shape {shape}; {counted(k, 'component')} in {counted(d, 'column')} "
        f"take one of {shapes}."
    )


def _check_covariances(structure: Structure, covariances: Array) -> None:
    for index, each in enumerate(covariances):
        of = _of(structure, index)
        if not np.isfinite(each).all():
            raise SettingError(f"The covariance {of} is not finite.")
        variances = np.diagonal(each) if each.ndim == 2 else np.atleast_1d(each)
        if not (variances > 0).all():
            column = int(np.argmin(variances > 0))
            raise SettingError(
                f"The covariance {of} has the variance {variances[column]:g} in column {column}; "
                "give a positive one."
            )
        if each.ndim == 2:
            deviations = np.sqrt(variances)
            off = np.abs(each - each.T) / np.outer(deviations, deviations)
            if off.max() > ROUNDING:
                i, j = np.unravel_index(int(off.argmax()), off.shape)
                raise SettingError(
                    f"The covariance {of} is not symmetric: {each[i, j]:g} at ({i}, {j}) and "
                    f"{each[j, i]:g} at ({j}, {i}). Give a symmetric matrix."
                )


def _of(structure: Structure, index: int) -> str:
    component = structure.component(index)
    return "of all components" if component is None else f"of component {component}"
