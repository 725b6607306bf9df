"""Columns of the data, by number or by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from daskgmm.counting import counted
from daskgmm.errors import SettingError
from daskgmm.spelling import did_you_mean

MOST_NAMES = 10
"""How many names of columns an error lists."""


def is_one(columns: Any) -> bool:
    """Return whether a single column is given, not several."""
    return isinstance(columns, str) or not isinstance(columns, Iterable)


def places(columns: Any, names: tuple[str, ...] | None, d: int) -> list[int]:
    """Return the numbers of columns that are given by number or name, in their order.

    One column may be given by itself.

    Raises
    ------
    SettingError
        If one does not exist, one is given twice, or there is none.
    """
    given = (columns,) if is_one(columns) else columns
    found = [_place(column, names, d) for column in given]
    if not found:
        raise SettingError("No column is given. Give one at least, by number or name.")
    twice = next((place for place in found if found.count(place) > 1), None)
    if twice is not None:
        name = twice if names is None else repr(names[twice])
        raise SettingError(f"Column {name} is given twice. Give each column once.")
    return found


def others(given: Iterable[int], d: int) -> list[int]:
    """Return the numbers of the other columns, in their order; raise `SettingError` for none."""
    taken = set(given)
    rest = [place for place in range(d) if place not in taken]
    if not rest:
        raise SettingError(
            f"All {counted(d, 'column')} of the mixture are given, so that none is left. Leave "
            "out those that are asked for."
        )
    return rest


def _place(column: Any, names: tuple[str, ...] | None, d: int) -> int:
    if isinstance(column, str):
        if names is None:
            raise SettingError(
                f"Column {column!r} is given by name, and the mixture was not fitted to named "
                f"columns. Give its number, 0 to {d - 1}."
            )
        if column not in names:
            listed = ", ".join(map(repr, names[:MOST_NAMES]))
            more = ", ..." if len(names) > MOST_NAMES else ""
            raise SettingError(
                f"The mixture has no column {column!r}; it has {listed}{more}."
                f"{did_you_mean(column, names)}"
            )
        return names.index(column)
    if isinstance(column, bool) or not isinstance(column, (int, np.integer)):
        raise SettingError(f"{column!r} is not a column; give a number, or a name.")
    if not -d <= column < d:
        raise SettingError(
            f"Column {column} does not exist: the mixture has {counted(d, 'column')}, 0 to {d - 1}."
        )
    return int(column) % d
