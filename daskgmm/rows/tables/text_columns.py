"""Columns that are no features of a table by default: texts, categories, dates, truth values."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daskgmm.errors import DataError
from daskgmm.readers import remedy
from daskgmm.rows.checks.name_lists import quoted
from daskgmm.rows.tables.arrow_texts import TEXTS
from daskgmm.storage.masking import shown

LOOKED_AT = 1000
"""First rows whose texts are looked at."""

CSV_NAME = re.compile(r"(\.(csv|tsv|txt)(\.\w+)?)?$", re.IGNORECASE)
"""The end of the name of a CSV file."""

NOTHING: Mapping[str, Any] = {}

MARKS = 5
"""Texts in place of numbers that a command names."""

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


def check_words(table: Any, source: str, *, is_csv: bool = False) -> None:
    """Raise `DataError` if a column of texts, of the first rows of a table, has numbers mostly.

    Then it is no matter of course that it is left out.
    """
    for name, examples in mostly_numbers(table):
        raise DataError(
            f"{shown(source)} has a text column {name!r} that contains mostly numbers, such as "
            f"{examples}, so it is unclear whether it is a feature. Name the features (--columns), "
            + (
                f"or make numbers of it: {converting([source], table)}."
                if is_csv
                else "or write the column as numbers."
            )
        )


def converting(
    sources: Sequence[str], table: Any, out: str = "", given: Mapping[str, Any] = NOTHING
) -> str:
    """Return the call or the command that makes numbers of texts that are mostly numbers.

    Parameters
    ----------
    sources : sequence of str
        CSV files that the texts are from.
    table : pyarrow.Table
        The columns of texts of their first rows.
    out : str
        The Parquet file that is there already; by default a new one, called as the first file.
    given : mapping
        Settings of that conversion, which are kept.
    """
    commas, marks = _why_texts(table)
    unseen = not commas and not marks  # what makes a text of the column comes later
    marks = ("TEXT",) if unseen else marks
    settings = {name: value for name, value in given.items() if value}
    settings |= {"decimal": ","} if commas else {}
    settings |= {"missing": [*settings.get("missing", []), *marks]} if marks else {}
    paths = [shown(source) for source in sources]
    target = shown(out) if out else CSV_NAME.sub(".parquet", paths[0].rpartition("://")[2], 1)
    typed = ["daskgmm", "convert", *paths, "--out", target]
    for name, value in settings.items():
        for each in value if isinstance(value, list) else [value]:
            typed += [f"--{name}", each]
    call = [repr(paths[0] if len(paths) == 1 else paths), repr(target)]
    call += [f"{name}={value!r}" for name, value in settings.items()]
    if out:
        typed, call = [*typed, "--overwrite"], [*call, "overwrite=True"]
    how = remedy(f"daskgmm.csv_to_parquet({', '.join(call)})", f"`{shlex.join(typed)}`")
    return f"{how}, where TEXT is what marks a missing value" if unseen else how


def _why_texts(table: Any) -> tuple[bool, tuple[str, ...]]:
    """Return whether numbers in columns of texts have decimal commas, and what is none of them."""
    commas, marks = False, dict[str, None]()
    names = {name for name, _ in mostly_numbers(table)}
    for name, column in zip(table.schema.names, table.columns, strict=True):
        for text in column.to_pylist() if name in names else ():
            if text is not None and not _is_number(str(text)):
                marks[str(text)] = None
            elif text is not None:
                commas |= "," in str(text)
    return commas, tuple(marks)[:MARKS]


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
