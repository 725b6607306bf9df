"""What the values of a map of labels mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from daskgmm.errors import SettingError
from daskgmm.plot.grids import Grid
from daskgmm.plot.shown import mixture_of

MISSING, OUTLIER = "missing", "outlier"


@dataclass(frozen=True, slots=True)
class Meanings:
    """Values in their order, the name of each, and what they are of."""

    values: tuple[Any, ...]
    names: dict[Any, str]
    title: str


def meanings_of(grid: Grid, fitted: Any) -> Meanings:
    """Return what the values of a grid mean, by its attributes, or by what was fitted."""
    mixture, classes = (None, None) if fitted is None else mixture_of(fitted)
    values = _values(grid)
    flagged = _flags(grid.attributes)
    title = _title(grid.attributes, classes)
    noise = mixture is not None and hasattr(mixture, "noise_weight_")
    names = {}
    for value in values:
        if value in flagged:
            name = flagged[value]
        elif classes is not None:
            name = str(value) if str(value) in classes else MISSING
        elif isinstance(value, int) and value < 0:
            # Beside -2, which is missing, -1 is an outlier.
            name = OUTLIER if value == -1 and (noise or -2 in values) else MISSING
        else:
            name = str(value)
        names[value] = name.removeprefix("component_").removeprefix("cluster_")
    return Meanings(values, names, title)


def _values(grid: Grid) -> tuple[Any, ...]:
    """Return the values that there are; whole numbers as such, also where NaN made them floats."""
    seen = grid.values
    if seen.dtype.kind == "f":
        some = np.unique(seen[~np.isnan(seen)])
        if not (some == np.floor(some)).all():
            raise SettingError(
                f"labels has values such as {some[some != np.floor(some)][0]:.6g}, which are no "
                "labels. posterior_map draws probabilities."
            )
        return tuple(int(value) for value in some)
    if seen.dtype.kind in "iub":
        return tuple(int(value) for value in np.unique(seen))
    texts = {value for value in seen.ravel().tolist() if value is not None}
    return tuple(sorted(texts, key=str))


def _flags(attributes: dict[str, Any]) -> dict[Any, str]:
    """Return what flags say of values (CF conventions, 3.5)."""
    values = np.ravel(attributes.get("flag_values", ())).tolist()
    words = str(attributes.get("flag_meanings", "")).split()
    return dict(zip(values, words, strict=True)) if len(values) == len(words) else {}


def _title(attributes: dict[str, Any], classes: Any) -> str:
    words = str(attributes.get("long_name", "")).removeprefix("most probable ")
    return words or ("class" if classes is not None else "component")
