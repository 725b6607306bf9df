"""Memory of what a fit does between its passes, in the process that calls it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from daskgmm.em.acceleration.memory import coordinates_nbytes, kept_nbytes
from daskgmm.em.checkpoints.packing import COPIES
from daskgmm.em.selection import races
from daskgmm.em.settings import Settings
from daskgmm.em.starts import start_on_sample
from daskgmm.em.survey.sample import Starts
from daskgmm.gaussian.charts.choice import has_chart
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.passes.plan import Steps

HELD_SETS = 2
"""Sets of parameters of each fit that goes on: the last step, and the proposal."""

STEP_SETS = 4
"""Sets of parameters that one M-step and its coordinates take beside: the moments as they came and
about the means, the new step, and what a factor and a map make on the way."""


def steps_of(
    candidates: Sequence[Settings], starts: Starts, columns: int, n: int | None, *, kept: bool
) -> Steps:
    """Return the memory of the steps between passes over n rows of so many columns.

    Parameters
    ----------
    candidates : sequence of Settings
        Of all mixtures whose passes are shared.
    starts : Starts
    columns : int
    n : int or None
        Number of rows, if known.
    kept : bool
        Whether there is a checkpoint.
    """
    together = len(candidates)
    held = sum(_held_nbytes(each, columns, together) for each in candidates)
    held *= 2 if starts.count > 1 else 1  # the best start is kept as it ended
    beside = max(_step_nbytes(each, columns, together) for each in candidates)
    if kept:
        beside = max(beside, int(COPIES * held))
    of_starts = sorted(
        (_race_nbytes(each, starts, columns, n, is_sweep=together > 1) for each in candidates),
        reverse=True,
    )
    return Steps(held, beside, sum(of_starts[: starts.at_once]))


def without_acceleration(candidates: Sequence[Settings]) -> list[Settings]:
    """Return the settings of plain EM."""
    return [replace(each, accelerated=False) for each in candidates]


def _race_nbytes(
    settings: Settings, starts: Starts, columns: int, n: int | None, *, is_sweep: bool
) -> int:
    """Return the peak bytes of the starts of one candidate that advance together."""
    at_once = races.most_together if is_sweep else start_on_sample.most_together
    together = at_once(settings, starts, settings.n_features(columns), n)
    if not together:
        return 0
    held = together * _held_nbytes(settings, columns, together)
    return held + _step_nbytes(settings, columns, together)


def _held_nbytes(settings: Settings, columns: int, together: int) -> int:
    """Return the bytes that a fit holds during passes, with the points of its acceleration."""
    sizes = _sizes(settings, columns)
    points = kept_nbytes(*sizes, together) if _is_accelerated(settings) else 0
    return HELD_SETS * _set_nbytes(*sizes) + points


def _step_nbytes(settings: Settings, columns: int, together: int) -> int:
    """Return the bytes that the M-step of a fit takes beside, and the step of acceleration."""
    sizes = _sizes(settings, columns)
    coordinates = coordinates_nbytes(*sizes, together) if _is_accelerated(settings) else 0
    return STEP_SETS * _set_nbytes(*sizes) + coordinates


def _set_nbytes(structure: Structure, k: int, d: int) -> int:
    """Return the bytes of parameters: weights, means, covariances and factors."""
    return 8 * (k + k * d + 2 * math.prod(structure.covariance_shape(k, d)))


def _is_accelerated(settings: Settings) -> bool:
    return settings.accelerated and has_chart(STRUCTURES[settings.structure])


def _sizes(settings: Settings, columns: int) -> tuple[Structure, int, int]:
    structure = STRUCTURES[settings.structure]
    return structure, settings.n_components, settings.n_features(columns)
