"""The entry of a model file that holds the posterior of a Bayesian mixture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.models.files.entries import array_of

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
        raise ValueError("'posterior' is no object")
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
