"""Split of a component in two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from daskgmm.gaussian.components.projection import projected
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters

APART = 0.5
"""Distance of either half from the old mean, in standard deviations along the longest axis."""


def split_into(parameters: Parameters, empty: Sequence[int]) -> Parameters | None:
    """Split the heaviest component once for each empty one, which becomes the second half.

    Returns
    -------
    Parameters or None
        None if a half has no positive definite covariance.
    """
    mixture: Parameters | None = parameters
    for component in empty:
        if mixture is not None:
            mixture = _split(mixture, int(np.argmax(mixture.weights)), component)
    return mixture


def splits(parameters: Parameters, count: int) -> list[Parameters]:
    """Return mixtures with one component more, for each of the `count` heaviest ones split."""
    structure, k = structure_of(parameters), parameters.n_components
    one_more = np.append(np.arange(k), 0)
    covariances, factors = parameters.covariances, parameters.precisions_cholesky
    room = Parameters(
        parameters.structure,
        np.append(parameters.weights, 0.0),
        parameters.means[one_more],
        covariances if structure.shared else covariances[one_more],
        factors if structure.shared else factors[one_more],
    )
    heaviest = np.argsort(-parameters.weights, kind="stable")[:count]
    mixtures = [_split(room, int(component), k) for component in heaviest]
    return [mixture for mixture in mixtures if mixture is not None]


def divided(parameters: Parameters, component: int, two: Parameters) -> Parameters | None:
    """Return the mixture with a component replaced by those of a mixture of its rows.

    They come last, and share its weight. A covariance that all components share stays. None if
    there is no factor.
    """
    structure = structure_of(parameters)
    others = np.arange(parameters.n_components) != component
    own = parameters.weights[component] * two.weights
    weights = np.concatenate([parameters.weights[others], own])
    means = np.concatenate([parameters.means[others], two.means])
    covariances = parameters.covariances
    if not structure.shared:
        covariances = np.concatenate([covariances[others], two.covariances])
    return projected(structure.name, weights / weights.sum(), means, covariances)


def _split(parameters: Parameters, component: int, other: int) -> Parameters | None:
    """Return the mixture with a component split across its longest axis; `other` is one half.

    Both halves together have its weight, its mean and, if the structure allows it, its
    covariance.
    """
    structure = structure_of(parameters)
    weights, means = parameters.weights.copy(), parameters.means.copy()
    covariances = parameters.covariances.copy()
    covariance = covariances[0 if structure.shared else component]
    axis, half = structure.precision.halved(covariance, parameters.n_features, APART)
    weights[[component, other]] = weights[component] / 2
    means[other] = means[component] + axis
    means[component] -= axis
    if not structure.shared:
        covariances[[component, other]] = half
    return projected(structure.name, weights / weights.sum(), means, covariances)
