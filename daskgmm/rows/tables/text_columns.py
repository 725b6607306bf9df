"""Columns that are no features of a table by default: texts, categories, dates, truth values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from daskgmm.errors import DataError
from daskgmm.rows.checks.name_lists import quoted
from daskgmm.rows.tables.arrow_texts import TEXTS
from daskgmm.storage.masking import shown

LOOKED_AT = 1000
"""First rows whose texts are looked at."""

TRUTH = "bool"
"""Arrow's type of truth values, which are numbers that no Gaussian is like."""

TEXT = "text"

WORDS = {
    **dict.fromkeys(TEXTS, TEXT), "dictionary": "categories", "date32": "dates",
    "date64": "dates", "timestamp": "times", "time32": "times of day", "time64": "times of day",
    "duration": "durations", TRUTH: "truth values",
    "str": TEXT, "object": "objects", "category": "categories", "datetime64": "times",
    "timedelta64": "durations",
}  # fmt: skip
"""What columns hold, by how their types of Arrow, or of pandas, begin."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a table, by what becomes of them where nobody chose features.

    Attributes
    ----------
    others : tuple of str
        Those that are features: numbers.
    left : mapping of str to str
        Those that are left out, and what they hold.
    """

    others: tuple[str, ...] = ()
    left: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, kinds: Iterable[tuple[str, str, bool]]) -> Columns:
        """Return columns apart: names, names of their types of Arrow, and if these are numbers."""
        triples = list(kinds)
        left = {
            name: word_of(kind) for name, kind, number in triples if not number or kind == TRUTH
        }
        return cls(tuple(name for name, _, _ in triples if name not in left), left)

    @property
    def texts(self) -> tuple[str, ...]:
        """Those that are left out as texts or categories, which may be numbers mostly."""
        return tuple(name for name, word in self.left.items() if word in (TEXT, "categories"))


def described(left: Mapping[str, str]) -> Iterator[str]:
    """Yield each column that is left out with what it holds."""
    for name, word in left.items():
        yield f"{quoted(name)} ({word})"


def word_of(kind: str) -> str:
    """Return what a column of the type of this name holds; the name itself where none is known."""
    begin = kind.partition("[")[0].partition("<")[0]
    return WORDS.get(begin, kind)


def check_words(table: Any, source: str) -> None:
    """Raise `DataError` if a column of texts, of the first rows of a table, has numbers mostly.

    Then it is no matter of course that it is left out.
    """
    for name, examples in mostly_numbers(table):
        raise DataError(
            f"{shown(source)} has a text column {name!r} that contains mostly numbers, such as "
            f"{examples}, so it is unclear whether it is a feature. Name the features (--columns), "
            "or convert the column to numbers: daskgmm convert has --decimal for the decimal "
            "separator, and --missing for texts that mark a missing value."
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
