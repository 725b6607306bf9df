"""The density of a fitted mixture over columns of the data, or a reason why it has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.density.data_units import over_columns
from daskgmm.gaussian.parameters import Parameters
from daskgmm.readers import remedy

BY_HAND = (
    "GaussianMixture.from_parameters(m.weights_ / m.weights_.sum(), m.means_in_data_units(), "
    "m.covariances_in_data_units())"
)
"""How users make the mixture of the components alone."""

WITHOUT_BAYES = "Fit without --bayesian"


def plain(
    parameters: Parameters, coordinates: Coordinates | None, columns: Sequence[int] | None = None
) -> Parameters:
    """Return the density over all columns of the data, or over some, in their units.

    Raises
    ------
    ValueError
        If the mixture has no such density; the error says why.
    """
    check_density(parameters)
    d = parameters.n_features if coordinates is None else coordinates.n_columns
    if parameters.has_noise:
        raise ValueError(
            "The noise of this mixture is uniform over a box, and its density is taken as the same "
            "outside: there is no such distribution given some columns. "
            f"{remedy(f'Take the components alone: {BY_HAND}, or fit', 'Fit')} with tails."
        )
    if parameters.n_features < d:
        raise ValueError(
            f"The mixture is one of {parameters.n_features} principal axes of {d} columns (pca): "
            "it has no density over columns, as rows have no variance along the axes that were "
            f"left out. Fit with pca=None, or with pca={d}."
        )
    try:
        return over_columns(parameters, coordinates, range(d) if columns is None else columns)
    except SingularError as error:
        raise singular(parameters, error) from error


def check_density(parameters: Parameters) -> None:
    """Raise `ValueError` for a variational posterior, which has no normalised density."""
    if parameters.log_weights is not None:
        raise ValueError(
            "A variational posterior has no normalised density: its densities are averaged in "
            "logarithms over weights and covariances that are uncertain. "
            f"{remedy(f'Take the mixture at its means: {BY_HAND}', WITHOUT_BAYES)}."
        )


def singular(parameters: Parameters, error: SingularError) -> ValueError:
    """Return the error for a component whose covariance is singular in columns of the data."""
    component = STRUCTURES[parameters.structure].component(error.index)
    whose = "of all components" if component is None else f"of component {component}"
    return ValueError(
        f"The covariance {whose} is singular to rounding, so that columns determine each other. "
        "Leave out columns that repeat others, or fit with a larger reg_covar."
    )


def settings_kept(mixture: Any) -> dict[str, Any]:
    """Return the settings of a mixture that those made of it have as well."""
    names = ("missing", "random_state", "reg_covar")
    return {name: getattr(mixture, name) for name in names if hasattr(mixture, name)}
