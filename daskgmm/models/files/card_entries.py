"""The card of a model as entries of its file: objective, criteria, history, clusters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.em.objective import Objective
from daskgmm.gaussian.priors.table import PRIORS
from daskgmm.models.facts.clusters import clusters_of
from daskgmm.models.files.entries import count_in, list_in, mapping_in, number, plain, weight_from
from daskgmm.models.mixtures.mixture import Mixture


def set_card(mixture: Mixture, document: Mapping[str, Any]) -> None:
    """Set what predictions do not depend on."""
    mixture.converged_ = bool(document["converged"])
    mixture.n_iter_ = count_in(document, "n_iter")
    mixture.lower_bound_ = float(number(document["lower_bound"]))
    mixture.lower_bounds_ = [float(number(bound)) for bound in document["lower_bounds"]]
    mixture.gap_estimate_ = float(number(document["gap_estimate"]))
    if document["criteria"] is not None:
        mixture._criteria = _criteria(document["criteria"])
    if document["history"] is not None:
        mixture.history_ = _history(document["history"])
    if document["data"] is not None:
        mixture.fitted_on_ = dict(mapping_in(document["data"], "data"))
    if "adapted" in document:
        mixture.adapted_ = _adapted(document["adapted"])
    if "clusters" in document:
        mixture.clusters_ = _clusters(document["clusters"], len(mixture.weights_))
    if "n_seen" in document:
        mixture.__dict__["n_seen_"] = weight_from(document["n_seen"], "n_seen")
        per_weight = document.get("rows_per_weight", 1.0)
        known = None if per_weight is None else weight_from(per_weight, "rows_per_weight")
        mixture._rows_per_weight = math.nan if known is None else known
    d = mixture.n_features_in_
    if document["feature_names"] is not None:
        names = list_in(document, "feature_names", d)
        mixture.feature_names_in_ = np.array(names, dtype=object)
    if document["feature_units"] is not None:
        mixture.feature_units_ = list_in(document, "feature_units", d)
    if document["feature_dims"] is not None:
        mixture.feature_dims_ = list_in(document, "feature_dims", None)
    mixture._ended_with = (
        _objective(document["objective"]) if "objective" in document else _objective_asked(mixture)
    )


def clusters_document(mixture: Mixture) -> dict[str, Any]:
    """Return the entry of merged components; none for a mixture without."""
    clusters = clusters_of(mixture)
    return {} if clusters is None else {"clusters": plain(clusters)}


def seen_document(mixture: Mixture) -> dict[str, Any]:
    """Return the entry of the rows that parameters hold; none where a fit says them."""
    if getattr(mixture, "n_seen_", None) is None:
        return {}
    per_weight = float(getattr(mixture, "_rows_per_weight", 1.0))
    return {"n_seen": plain(float(mixture.n_seen_)), "rows_per_weight": plain(per_weight)}


def _clusters(values: Any, k: int) -> NDArray[np.intp]:
    """Return the cluster of each component; raise `ValueError` unless they are numbered."""
    if not isinstance(values, list) or len(values) != k or not all(type(v) is int for v in values):
        raise ValueError("'clusters' is not a list of a whole number for each component")
    numbers = sorted(set(values))
    if numbers != list(range(len(numbers))):
        raise ValueError("'clusters' leaves out a number")
    return np.array(values, dtype=np.intp)


def adapted_document(mixture: Mixture) -> dict[str, Any]:
    """Return the entry of an adaptation; none for a mixture that was fitted."""
    adapted = getattr(mixture, "adapted_", None)
    return {} if adapted is None else {"adapted": plain(adapted)}


def _adapted(values: Any) -> dict[str, Any]:
    found = dict(mapping_in(values, "adapted"))
    relevance = mapping_in(found["relevance"], "relevance").items()
    found["relevance"] = {name: float(number(rows)) for name, rows in relevance}
    found["n_iter"] = count_in(found, "n_iter")
    found["background"] = dict(mapping_in(found.get("background", {}), "background"))
    return found


def objective_document(objective: Objective) -> dict[str, Any]:
    """Return an objective as an entry; what is as in most fits is left out."""
    values: dict[str, Any] = plain(asdict(objective))
    if not objective.labels:
        del values["labels"]
    if not objective.equal_weights:
        del values["equal_weights"]  # readers of before it read on
    return values


def _objective(values: Any) -> Objective | None:
    if values is None:
        return None
    found = Objective(**mapping_in(values, "objective"))
    for value in (found.prior, found.density, found.weights_are):
        if not isinstance(value, str | None):
            raise ValueError(f"a {type(value).__name__} stands in 'objective' where a text should")
    for name in ("equal_weights", "labels"):
        if not isinstance(getattr(found, name), bool):
            raise ValueError(f"{name!r} in 'objective' is neither true nor false")
    return replace(found, noise=float(number(found.noise)))


def _objective_asked(mixture: Mixture) -> Objective:
    """Return the objective of the settings, for a file that does not say it."""
    facts = getattr(mixture, "fitted_on_", {})
    settings = mixture._settings().weighed(facts.get("weights_are"))
    if isinstance(settings.prior, str) and settings.prior not in PRIORS:
        said, equal = settings.weights_are, settings.equal_weights
        return Objective(settings.noise, settings.prior, weights_are=said, equal_weights=equal)
    return Objective.of(settings, mixture.n_features_in_)


def _criteria(values: Any) -> dict[str, Any]:
    return {
        name: str(value) if name == "measured" else number(value)
        for name, value in mapping_in(values, "criteria").items()
    }


def _history(columns: Any) -> dict[str, list[Any]]:
    found = {
        name: [number(value) for value in column]
        for name, column in mapping_in(columns, "history").items()
    }
    if len({len(column) for column in found.values()}) > 1:
        raise ValueError("the columns of 'history' differ in length")
    return found
