"""Table of tails by name, for estimators, files, the command line and tests."""

from __future__ import annotations

from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.contaminated import Contaminated
from daskgmm.gaussian.tails.student import Student
from daskgmm.gaussian.tails.tail import Tail

TAILS: dict[str, Tail] = {tail.name: tail for tail in (Contaminated(), Student())}


def tail_of(parameters: Parameters) -> Tail | None:
    """Return the tail of the components; None for Gaussian ones."""
    return next((tail for tail in TAILS.values() if tail.are_of(parameters)), None)
