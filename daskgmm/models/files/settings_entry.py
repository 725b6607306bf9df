"""Settings of an estimator as an entry of a model file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict
from typing import Any, TypeVar, cast

from daskgmm.gaussian.covariance.structures import structure_name
from daskgmm.gaussian.priors.prior import Prior
from daskgmm.gaussian.priors.table import PRIORS, shortest
from daskgmm.models.files.entries import mapping_in, of_python
from daskgmm.models.mixtures.mixture import Mixture
from daskgmm.names import FLOAT64

NOT_WRITTEN = {
    "noise": False, "tails": None, "equal_weights": False, "n_factors": None, "precision": FLOAT64,
    "n_candidates": None,
}  # fmt: skip
"""Settings that are not written unless they are others, so that readers of before them read on."""

Kind = TypeVar("Kind", bound=Mixture)


def names_of(kind: type[Mixture]) -> list[str]:
    """Return the names of a class and of the estimators it is made from, the most special first."""
    mixtures = [each for each in kind.__mro__ if issubclass(each, Mixture)]
    return [each.__name__ for each in mixtures if not vars(each).get("_is_base", False)]


def settings_document(mixture: Mixture) -> dict[str, Any]:
    """Return the settings, those that are attributes of the class too, as JSON can hold them."""
    kept = {}
    for name in _setting_names(type(mixture)):
        if name in NOT_WRITTEN and getattr(mixture, name) == NOT_WRITTEN[name]:
            continue
        value = getattr(mixture, name)
        value = structure_name(value) if name == "covariance_type" else value
        try:
            text = json.dumps(_plain_setting(value), allow_nan=False)
        except (TypeError, ValueError):
            continue
        kept[name] = json.loads(text)
    return kept


def _plain_setting(value: Any) -> Any:
    """Return a setting as Python's values; a prior as its name, or with its hyperparameters."""
    value = shortest(value)
    if not isinstance(value, Prior):
        return of_python(value)
    return {"name": value.name, **asdict(cast("Any", value))}


def _prior_read(value: Any) -> Any:
    """Return a prior that was written with its hyperparameters; of an unknown name, as it is."""
    if not isinstance(value, Mapping) or value.get("name") not in PRIORS:
        return value
    hyperparameters = {key: given for key, given in value.items() if key != "name"}
    try:
        return type(PRIORS[value["name"]])(**hyperparameters)
    except TypeError as error:
        raise ValueError(
            f"the prior {value['name']!r} has no such hyperparameters: {error}"
        ) from None


def _setting_names(kind: type[Mixture]) -> list[str]:
    return sorted({*kind._get_param_names(), *kind._parameter_constraints})


def checked_settings(settings: Any, kind: type[Mixture], types: Sequence[str]) -> dict[str, Any]:
    """Return the settings that the class has; others may be those of a class made from it."""
    known = _setting_names(kind)
    unknown = [name for name in mapping_in(settings, "settings") if name not in known]
    if unknown and types[0] == kind.__name__:
        raise ValueError(f"there is no setting {unknown[0][:60]!r}")
    taken = {name: value for name, value in settings.items() if name in known}
    if "prior" in taken:
        taken["prior"] = _prior_read(taken["prior"])
    return taken


def made_with(kind: type[Kind], settings: Mapping[str, Any]) -> Kind:
    """Return an estimator with these settings, whether its constructor takes them or not."""
    taken = set(kind._get_param_names())
    mixture = kind(**{name: value for name, value in settings.items() if name in taken})
    for name, value in settings.items():
        if name not in taken and getattr(mixture, name) != value:
            setattr(mixture, name, value)
    return mixture


def check_settings(mixture: Mixture) -> None:
    """Raise `ValueError` for settings that no fit has.

    A prior may have any name: predictions need none, and a fit looks it up.
    """
    checked = copy(mixture)
    if isinstance(getattr(mixture, "prior", None), str | Mapping):
        checked.prior = None
    checked._validate_params()
