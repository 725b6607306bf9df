"""Parameters of a mixture as entries of a model file, checked as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.validity import (
    check_contamination,
    check_covariances,
    check_degrees,
    check_noise,
    check_weights,
)
from daskgmm.models.files.entries import array_of, mapping_in, number, plain
from daskgmm.models.files.settings_entry import check_settings, made_with
from daskgmm.models.mixtures.mixture import Mixture
from daskgmm.models.settings.factors import check_enough_features


def set_parameters(mixture: Mixture, document: Mapping[str, Any], r: int) -> None:
    """Set weights, means, covariances and what goes with them, along r axes of the fit."""
    structure, k = STRUCTURES[mixture._structure_name], len(document["weights"])
    check_enough_features([structure.name], r)
    shape = structure.external_shape(k, r)
    mixture._fitted_structure = structure.name
    mixture.weights_ = array_of(document, "weights", (k,))
    mixture.means_ = array_of(document, "means", (k, r))
    mixture.covariances_ = array_of(document, "covariances", shape)
    mixture.precisions_cholesky_ = array_of(document, "precisions_cholesky", shape)
    factors = structure.internal(mixture.precisions_cholesky_, k, r)
    mixture.precisions_ = structure.external(structure.precision.precisions(factors), r)
    _set_outliers(mixture, document, k)
    _check_count(mixture.weights_, mixture.n_components)
    check_weights(mixture.weights_, getattr(mixture, "noise_weight_", 0.0))
    check_covariances(structure, structure.internal(mixture.covariances_, k, r), factors, r)


def outliers_document(parameters: Parameters) -> dict[str, Any]:
    """Return the entries of outliers; none for a mixture of Gaussians alone."""
    if parameters.has_noise:
        values = {"weight": parameters.noise_weight, "log_volume": parameters.log_volume}
        return {"noise": plain(values)}
    if parameters.is_contaminated:
        shares = {"clean_shares": parameters.clean, "inflations": parameters.inflation}
        return {"contamination": plain(shares)}
    if parameters.degrees is not None:
        return {"student": plain({"degrees_of_freedom": parameters.degrees})}
    return {}


def _set_outliers(mixture: Mixture, document: Mapping[str, Any], k: int) -> None:
    """Set the attributes of outliers, where the document has them."""
    if "noise" in document:
        given = mapping_in(document["noise"], "noise")
        values = {name: np.float64(number(given[name])) for name in ("weight", "log_volume")}
        check_noise(values["weight"], values["log_volume"])
        mixture.noise_weight_ = float(values["weight"])
        mixture.noise_log_volume_ = float(values["log_volume"])
    if "contamination" in document:
        given = mapping_in(document["contamination"], "contamination")
        clean, inflation = (array_of(given, name, (k,)) for name in ("clean_shares", "inflations"))
        check_contamination(clean, inflation)
        mixture.clean_shares_, mixture.inflations_ = clean, inflation
    if "student" in document:
        given = mapping_in(document["student"], "student")
        degrees = array_of(given, "degrees_of_freedom", (k,))
        check_degrees(degrees)
        mixture.tail_degrees_ = degrees


def coordinates_document(coordinates: Coordinates | None) -> dict[str, Any] | None:
    """Return coordinates as an entry: null if there are none."""
    if coordinates is None:
        return None
    names = ("origin", "scales", "axes", "explained")
    found = {name: plain(getattr(coordinates, name)) for name in names}
    if coordinates.variances is not None:
        found["variances"] = plain(coordinates.variances)
    return found


def coordinates_from(parts: Any, d: int) -> Coordinates | None:
    """Return the coordinates of an entry, of d columns; `ValueError` says what is wrong."""
    if parts is None:
        return None
    given = mapping_in(parts, "coordinates")
    origin, scales = array_of(given, "origin", (d,)), array_of(given, "scales", (d,))
    if not (scales > 0).all():
        raise ValueError("'scales' are not all positive")
    axes = None
    if given["axes"] is not None:
        r = len(given["axes"][0])
        axes = array_of(given, "axes", (d, r))
    shape = (d if axes is None else axes.shape[1],)
    explained = None if given["explained"] is None else array_of(given, "explained", shape)
    variances = None if given.get("variances") is None else array_of(given, "variances", shape)
    return Coordinates(origin, scales, axes, explained, variances)


def check_readable(mixture: Mixture, settings: Mapping[str, Any], parameters: Parameters) -> None:
    """Raise `ValueError` for what `mixture_of` would refuse."""
    try:
        check_settings(made_with(type(mixture), settings))
        _check_count(parameters.weights, mixture.n_components)
        check_weights(parameters.weights, parameters.noise_weight or 0.0)
        structure, r = STRUCTURES[parameters.structure], parameters.n_features
        check_covariances(structure, parameters.covariances, parameters.precisions_cholesky, r)
    except ValueError as error:
        raise ValueError(
            f"The model could not be read again: {str(error).rstrip('.')}. Set it back to what it "
            "was in the fit."
        ) from error


def _check_count(weights: NDArray[np.float64], n_components: int) -> None:
    if len(weights) != n_components:
        raise ValueError(f"n_components is {n_components}, and there are {len(weights)} weights")
