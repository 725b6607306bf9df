"""Columns that hold one feature, or in lists of numbers several."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

from daskgmm.errors import DataError
from daskgmm.storage.masking import shown

ELEMENT = re.compile(r"(?P<column>.+)\[(?P<index>\d+)\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FeatureColumn:
    """A column that holds a feature, or several in lists of one length.

    Attributes
    ----------
    name : str
    length : int or None
        Length of the lists; None without lists.
    """

    name: str
    length: int | None = None

    @property
    def width(self) -> int:
        """The number of features."""
        return 1 if self.length is None else self.length

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features: ``emb[0]``, ``emb[1]`` and so on of lists."""
        if self.length is None:
            return (self.name,)
        return tuple(f"{self.name}[{index}]" for index in range(self.length))


def columns_of(
    names: Sequence[str], known: Container[str], lists: Container[str], what: str
) -> dict[str, int | None]:
    """Return the columns that names stand for, in order, and the number of elements named of each.

    Names are those of columns (None elements), or of all elements of lists as `features` has them.
    """
    counts: dict[str, int | None] = {}
    last = None
    for name in names:
        match = None if name in known else ELEMENT.fullmatch(name)
        if match is None or match["column"] not in lists:
            if name in counts:
                raise DataError(
                    f"Column {name!r} of {shown(what)} is named twice; name each column once."
                )
            counts[name] = last = None
            continue
        column, index = match["column"], int(match["index"])
        count = counts.get(column) if last == column else None if column in counts else 0
        if index != count:
            raise DataError(
                f"{name!r} is an element of the lists in column {column!r} of {shown(what)}, and "
                f"those are taken whole: name {column!r}, or all elements in order, once."
            )
        counts[column], last = index + 1, column
    return counts


def check_length(name: str, length: int, named: int | None, what: str) -> None:
    """Raise `DataError` if the names are not those of all `length` elements of the lists."""
    if named not in (None, length):
        last = f" to {name}[{named - 1}]" if named and named > 1 else ""
        raise DataError(
            f"Column {name!r} of {shown(what)} holds lists of {length} numbers, which are taken "
            f"whole, and {name}[0]{last} alone {'are' if last else 'is'} asked for. Name "
            f"{name!r}, or write what is to be taken as columns of its own. A mixture that asks "
            "for these was fitted to lists of another length."
        )
