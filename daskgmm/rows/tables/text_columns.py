"""Columns of texts among the features that a table has by default, which may be left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from daskgmm.errors import DataError
from daskgmm.rows.tables.arrow_texts import is_text
from daskgmm.storage.masking import shown

LOOKED_AT = 1000
"""First rows whose texts are looked at."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Features of a table by default.

    Attributes
    ----------
    others : tuple of str
        Those that do not hold texts.
    texts : tuple of str
        Those that do.
    """

    others: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, kinds: Iterable[tuple[str, str]]) -> Columns:
        """Return columns apart, of pairs of a name and the name of its type of Arrow."""
        pairs = list(kinds)
        texts = tuple(name for name, kind in pairs if is_text(kind))
        return cls(tuple(name for name, _ in pairs if name not in {*texts}), texts)


def check_words(table: Any, source: str) -> None:
    """Raise `DataError` if a column of texts, of the first rows of a table, has numbers mostly.

    Then it is no matter of course that it is left out.
    """
    for name, examples in mostly_numbers(table):
        raise DataError(
            f"{shown(source)} has a column {name!r} of texts that are numbers mostly, such as "
            f"{examples}: nothing says whether it is a feature. Name the features (--columns), "
            "or make numbers of it: daskgmm convert has --missing for texts that stand for a "
            "missing value, and --decimal for the decimal point."
        )


def mostly_numbers(table: Any) -> Iterator[tuple[str, str]]:
    """Yield each column of texts that has numbers mostly, with examples of its texts.

    A text for what is missing, or a comma for a decimal point, may have made texts of them.
    """
    for name, column in zip(table.schema.names, table.columns, strict=True):
        texts = [str(text) for text in column.to_pylist() if text is not None]
        numbers = [text for text in texts if _is_number(text)]
        if 2 * len(numbers) > len(texts):
            other = next((f", beside {text!r}" for text in texts if not _is_number(text)), "")
            yield name, f"{numbers[0]!r}{other}"


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
