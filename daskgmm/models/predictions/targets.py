"""Arrays of predictions that a back end fills itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from daskgmm.gaussian.kernels.prediction import TYPES, Targets
from daskgmm.models.predictions.output import Output
from daskgmm.models.predictions.outputs import BY_BACKEND


def are_targets(arrays: Sequence[Output]) -> bool:
    """Return whether all arrays are targets, each of another kind."""
    kinds = [_kind(part) for each in arrays for part in each.parts or (each,)]
    return None not in kinds and len(set(kinds)) == len(kinds)


def targets_of(arrays: Sequence[Output], found: Mapping[str, NDArray[Any]]) -> Targets:
    """Return arrays, by the names of their outputs, as targets, which they all are."""
    asked: dict[str, Any] = {}
    for each in arrays:
        values = found[each.name]
        for part in each.parts or (each,):
            kind = _kind(part)
            assert kind is not None, "it is a target"
            asked[kind] = values[part.name] if each.parts else values
            if kind == "responsibilities":
                asked["levels"] = part.levels
    return Targets(**asked)


def _kind(output: Output) -> str | None:
    """Return the field of `Targets` that an output is; None if it is none, or of another type."""
    kind = next((name for own, name in BY_BACKEND if own is output.compute), None)
    dtype = output.dtype
    if kind is None or not dtype.isnative or dtype.str[1:] not in TYPES[kind]:
        return None
    return kind if (dtype.kind == "u") == bool(output.levels) else None
