"""Precision of passes: early ones may be in float32, and the last ones are in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from daskgmm.em.events import Iterated
from daskgmm.em.settings import Settings
from daskgmm.gaussian.kernels.choice import SINGLE_TOLERANCE
from daskgmm.names import FLOAT32

LOWERED = SINGLE_TOLERANCE / 10
"""Nats a row by which the objective of a pass in float32 is told lower than it was found: more than
its error, so that it is a lower bound, and the first pass in float64 does not seem to fall."""


def may_be_single(iterations: Sequence[Iterated], settings: Settings) -> bool:
    """Return whether the pass after these may be in float32, if that was asked for.

    It may while each pass gains far more than rounding: one that was in float64, rejected a
    proposal, or gained little ends it for good. The last one that `max_iter` allows is in float64.
    """
    if settings.precision != FLOAT32 or len(iterations) + 1 >= settings.max_iter:
        return False
    if not iterations:
        return True
    last = iterations[-1]
    little = settings.gap_tolerance if settings.accelerated else settings.tol
    return last.in_float32 and last.accepted and last.change > max(LOWERED, little)


def told(iterated: Iterated, before: float) -> Iterated:
    """Return the record of a pass, whose objective does not fall where that is in float32.

    What it was before is a lower bound of what an accepted step has reached.
    """
    if not iterated.in_float32 or iterated.lower_bound >= before:
        return iterated
    return replace(iterated, lower_bound=before, change=0.0)
