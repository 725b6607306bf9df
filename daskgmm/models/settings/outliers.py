"""Settings and attributes of mixtures that make room for outliers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.em.settings import CONTAMINATED, NOISE, STUDENT
from daskgmm.errors import SettingError
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.table import prior_of
from daskgmm.readers import remedy

ATTRIBUTES = {
    NOISE: ("noise_weight_", "noise_log_volume_"),
    CONTAMINATED: ("clean_shares_", "inflations_"),
    STUDENT: ("tail_degrees_",),
}
"""Attributes of a fit with each way to make room for outliers."""


def outliers_of(mixture: Any) -> str | None:
    """Return how the settings make room for outliers; None for Gaussians alone."""
    return NOISE if mixture.noise else mixture.tails


def fitted_outliers(mixture: Any) -> str | None:
    """Return how a fitted mixture makes room for outliers, whatever its settings are now."""
    found = [way for way, names in ATTRIBUTES.items() if hasattr(mixture, names[0])]
    return found[0] if found else None


def check_outliers(mixture: Any) -> None:
    """Raise `SettingError` for settings that do not go together with room for outliers."""
    noise, tails = mixture.noise, mixture.tails
    if noise and tails is not None:
        raise SettingError(
            f"noise=True and tails={tails!r} both make room for outliers. Set one of them."
        )
    if noise and mixture.pca is not None:
        raise SettingError(
            "noise=True needs the volume of the rows, and pca leaves the ranges of principal axes "
            "unknown. Set pca=None, or use tails."
        )
    if tails is not None and mixture.prior is not None:
        raise SettingError(
            f"tails={tails!r} cannot be fitted with a prior: its pseudo-rows have no outliers. Set "
            "prior=None."
        )
    if noise and mixture.prior is not None and prior_of(mixture.prior).depends_on_rows:
        raise SettingError(
            "noise=True cannot be fitted with a prior that takes its mean and scale from all rows, "
            f"outliers included. {remedy(WITH_PRIOR, 'Leave out one of them')}."
        )


WITH_PRIOR = "Give prior=ConjugatePrior(mean=..., scale=...), or prior=None"


def check_same_outliers(mixture: Any) -> None:
    """Raise `ValueError` if a warm start would continue with other room for outliers."""
    asked, fitted = outliers_of(mixture), fitted_outliers(mixture)
    if asked != fitted:
        names = [
            {NOISE: "noise=True", None: "neither"}.get(way, f"tails={way!r}")
            for way in (fitted, asked)
        ]
        raise ValueError(
            f"With warm_start=True the fit continues from the last one, which had {names[0]} of "
            f"noise and tails; the settings ask for {names[1]}. Set warm_start=False to begin anew."
        )


def set_outliers(mixture: Any, parameters: Parameters) -> None:
    """Set the attributes of outliers, and remove those of an earlier fit."""
    for name in (name for names in ATTRIBUTES.values() for name in names):
        mixture.__dict__.pop(name, None)
    if parameters.has_noise:
        mixture.noise_weight_ = parameters.noise_weight
        mixture.noise_log_volume_ = parameters.log_volume
    if parameters.is_contaminated:
        mixture.clean_shares_, mixture.inflations_ = parameters.clean, parameters.inflation
    if parameters.degrees is not None:
        mixture.tail_degrees_ = parameters.degrees


def with_outliers_of(mixture: Any, parameters: Parameters) -> Parameters:
    """Return parameters with those of outliers that a fitted mixture has."""
    way = fitted_outliers(mixture)
    if way is None:
        return parameters
    values = [np.asarray(getattr(mixture, name), np.float64) for name in ATTRIBUTES[way]]
    if way == NOISE:
        weight, volume = map(float, values)
        return replace(parameters, noise_weight=weight, log_volume=volume)
    if way == STUDENT:
        return replace(parameters, degrees=values[0])
    clean, inflation = values
    return replace(parameters, clean=clean, inflation=inflation)


def box_of(mixture: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners of the box that the noise is uniform over, in the model's coordinates.

    Raises
    ------
    ValueError
        If nothing tells what the mixture was fitted to.
    """
    facts = getattr(mixture, "fitted_on_", None) or {}
    if "minimum" not in facts or "maximum" not in facts:
        raise ValueError(
            "The box of the noise is unknown, as the mixture does not know the ranges of the "
            "columns (fitted_on_). Fit it"
            f"{remedy(', or draw from the components alone: set noise_weight_ to 0', '')}."
        )
    corners = np.array([facts["minimum"], facts["maximum"]], np.float64)
    coordinates = getattr(mixture, "coordinates_", None)
    low, high = corners if coordinates is None else coordinates.apply(corners)
    return low, high
