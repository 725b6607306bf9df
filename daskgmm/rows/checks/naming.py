"""Look-up of columns by name, and lists of names in messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from daskgmm.errors import DataError, SourceError
from daskgmm.rows.checks.name_lists import names_text, typed
from daskgmm.spelling import did_you_mean
from daskgmm.storage.masking import shown

LISTED_COLUMNS = 20
"""Largest number of columns that an error message lists."""


class NotNumbersError(DataError):
    """Columns that were to be read as numbers hold something else.

    Attributes
    ----------
    kinds : mapping of str to str
        These columns, and the names of their stored types.
    """

    kinds: Mapping[str, str] = MappingProxyType({})


def places(names: Sequence[str], columns: Sequence[str] | None) -> list[int]:
    """Return the positions of `names` among `columns`."""
    check_among(names, columns or (), "X")
    positions = {name: index for index, name in enumerate(columns or ())}
    return [positions[name] for name in names]


def check_among(names: Sequence[str], known: Sequence[str], what: str) -> None:
    """Raise `DataError` unless all `names` are among the columns `known`, each once."""
    among = set(known)
    for name in names:
        if name not in among:
            raise DataError(
                f"{shown(what)} has no column {name!r}; it has "
                f"{listed(map(repr, known)) or 'none'}.{did_you_mean(name, known)}"
            )
    if len(set(names)) != len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise DataError(f"Column {twice!r} of {shown(what)} is named twice; name each column once.")


def neither(argument: str, given: str, columns: Sequence[str], what: str) -> SourceError:
    """Return the error for a text that names no column and no path; `what` says of what, and why.

    Parameters
    ----------
    argument : str
        As "labels".
    given : str
        Its value.
    columns : sequence of str
        Those that there are.
    what : str
        As "labels: specis does not exist."
    """
    return SourceError(
        f"{argument} is {given!r}, which is not a column of X (those are "
        f"{listed(map(repr, columns))}), and no path of {what}{did_you_mean(given, columns)}"
    )


def names_within(x: Any) -> tuple[str, ...] | None:
    """Return names of the columns of an object, perhaps not all; None if it has no columns.

    Data frames, objects with a schema and structured arrays have names; a stream of Arrow shows
    its names only when it is read, and has none here.
    """
    holders = ((x, "columns"), (x, "column_names"), (getattr(x, "schema", None), "names"))
    for holder, attribute in (*holders, (getattr(x, "dtype", None), "names")):
        names: Any = getattr(holder, attribute, None)
        if isinstance(names, (list, tuple)) or hasattr(type(names), "tolist"):
            names = tuple(names)
            if names and all(isinstance(name, str) for name in names):
                return cast("tuple[str, ...]", names)
    streams = hasattr(x, "__arrow_c_stream__") and not hasattr(x, "__array__")
    return () if streams else None


COLUMNS = "name the features with --columns, as {numbers_typed}"
"""What to type where some columns hold no numbers; see `check_numbers`."""


def check_numbers(
    kinds: Mapping[str, tuple[np.dtype[Any] | None, str]], what: str, how: str
) -> None:
    """Raise `NotNumbersError` if a column holds no numbers.

    For each column `kinds` has the NumPy type, or None, and the name of the stored type; the
    message says whose columns they are (`what`) and how to leave them out: `how` is the call, with
    {others} for their names, or {numbers} for those of all others, as {numbers_typed} with commas
    alone between them.
    """
    others = [name for name, (dtype, _) in kinds.items() if dtype is None]
    if not others:
        return
    left = [name for name in kinds if name not in others]
    numbers = listed(map(repr, left))
    call = how.format(
        others=listed(map(repr, others)), numbers=numbers, numbers_typed=typed_names(left)
    )
    error = NotNumbersError(
        f"{shown(what)} has columns that are not numbers: "
        f"{listed(f'{name!r} ({kinds[name][1]})' for name in others)}. "
        f"{f'Leave them out: {call}.' if numbers else 'Name columns that hold numbers.'}"
    )
    error.kinds = {name: kinds[name][1] for name in others}
    raise error


def typed_names(names: Sequence[str]) -> str:
    """Return names as they are typed behind an option, the first `LISTED_COLUMNS` of them."""
    more = ",..." if len(names) > LISTED_COLUMNS else ""
    return typed(f"{names_text(names[:LISTED_COLUMNS])}{more}")


def listed(names: Iterable[str]) -> str:
    """Return the first `LISTED_COLUMNS` names, separated by commas."""
    known = list(names)
    more = len(known) - LISTED_COLUMNS
    return ", ".join(known[:LISTED_COLUMNS]) + (f" and {more} more" if more > 0 else "")
