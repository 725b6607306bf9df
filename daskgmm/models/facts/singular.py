"""Columns that leave no covariance to be inverted, named for the error that says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from daskgmm.arrays import Array
from daskgmm.em.survey.survey import Survey
from daskgmm.gaussian.coordinates import NO_SCALE, NOISE
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.structures import STRUCTURES

INVOLVED = 1e-3
"""Part of a column that a dependence must take, or share with another, to name it."""

LISTED = 8
"""Columns that a sentence names; more are counted."""


def singular_columns(
    survey: Survey, structure: str, reg_covar: float, names: Sequence[str]
) -> str | None:
    """Return which columns make the covariance of all rows singular; None if none do."""
    constant = constant_columns(survey)
    varying = np.setdiff1d(np.arange(len(names)), constant)
    found = []
    if constant.size:
        has = "has a single value" if constant.size == 1 else "have a single value each"
        found.append(f"{_listed(constant, names)} {has}")
    if STRUCTURES[structure].precision.detail == Dense.detail:
        for group in dependent_columns(survey, varying):
            what = "copies of each other but for scale and offset" if len(group) == 2 else (
                "such that some are sums of the others"
            )  # fmt: skip
            found.append(f"{_listed(group, names)} are {what}")
    if not found:
        return None
    return (
        f"In all rows that count, {'; '.join(found)}. reg_covar is {reg_covar:g} (--reg-covar), "
        "which leaves no covariance to be inverted: leave out such columns, or set reg_covar to a "
        "variance below which differences do not matter."
    )


def constant_columns(survey: Survey) -> NDArray[np.intp]:
    """Return the numbers of columns that do not vary by more than rounding."""
    sizes = np.maximum(np.abs(survey.minimum), np.abs(survey.maximum))
    variances = np.diagonal(survey.covariance)
    same = (survey.minimum == survey.maximum) | (variances <= (NO_SCALE * sizes) ** 2)
    return np.flatnonzero(same)


def dependent_columns(survey: Survey, columns: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return groups of columns, among these, some of which are sums of the others.

    The correlations have a null space then. The projection onto it, unlike its axes, is the same
    however these are chosen, and has no entries between columns of different groups.
    """
    covariance = survey.covariance[np.ix_(columns, columns)]
    deviations = np.sqrt(np.diagonal(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(deviations, deviations))
    null = vectors[:, values <= NOISE * len(columns)]
    projection: Array = np.abs(null @ null.T)
    _, labels = connected_components(projection > INVOLVED, directed=False)
    groups = [columns[labels == label] for label in range(len(set(labels.tolist())))]
    return [group for group in groups if len(group) > 1]


def _listed(numbers: NDArray[np.intp], names: Sequence[str]) -> str:
    words = [names[j] for j in numbers[:LISTED].tolist()]
    more = len(numbers) - len(words)
    if more:
        return f"{', '.join(words)} and {more} more"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
