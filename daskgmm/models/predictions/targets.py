"""Arrays of predictions that a back end fills itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from daskgmm.gaussian.kernels.prediction import Targets
from daskgmm.models.predictions.output import Output
from daskgmm.models.predictions.outputs import BY_BACKEND


def targets_of(arrays: Sequence[Output], found: Mapping[str, NDArray[Any]]) -> Targets | None:
    """Return arrays, by the names of their outputs, as targets; None if some are of other kinds.

    Then none is, and all are made of posteriors.
    """
    asked: dict[str, Any] = {}
    for each in arrays:
        values = found[each.name]
        for part in each.parts or (each,):
            kind = next((name for own, name in BY_BACKEND if own is part.compute), None)
            if kind is None or kind in asked:
                return None
            asked[kind] = values[part.name] if each.parts else values
            if kind == "responsibilities":
                asked["levels"] = part.levels
    return Targets(**asked)
