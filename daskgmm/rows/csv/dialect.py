"""How a CSV file is written: delimiter, header, decimal point, encoding, missing values."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from daskgmm.errors import SourceError
from daskgmm.readers import remedy
from daskgmm.rows.csv.start import start_of
from daskgmm.storage.address import Address
from daskgmm.storage.emptiness import nothing_in, told_if_empty
from daskgmm.user_warnings import warn_user

DELIMITERS = ";\t|,"
"""Those that are recognised by the first line: the one that makes the most fields of it; of
several the first, as commas may be decimal points."""

MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null",
)  # fmt: skip
"""Texts that stand for a missing value, as Arrow takes them; its import takes 0.1 s."""

NO_LINE = (
    "{} has no line with values. The first line names the columns, or has the first values: give a "
    "file that has some."
)

SUFFIXES = (".csv", ".tsv")
COMPRESSED = ("", ".gz", ".bz2", ".zst", ".xz")
ALL_SUFFIXES = tuple(a + b for a in SUFFIXES for b in COMPRESSED)


WITH_ENCODING = ("csv_to_parquet(encoding='latin-1')", "`daskgmm convert --encoding latin-1`")
"""How a file of another encoding is converted, by who reads it."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file is written.

    Attributes
    ----------
    delimiter : str or None
        Character between the fields of a line; None where the first line tells.
    decimal : str
        Decimal point of numbers.
    encoding : str
        Encoding of texts.
    missing : tuple of str
        Texts that stand for a missing value, besides an empty field and NA, NaN and null.
    header : bool or None
        Whether the first line has the names; None where it tells: of a line of numbers it has not.
    names : tuple of str
        Names of the columns, once the first line was looked at.
    unnamed : tuple of str
        Those of them that stand for no name: they are left out.
    skipped : int
        Lines before the first values: empty ones, and those of the header.
    line_end : str
        Last character of a line: a line feed, or a carriage return where these stand alone.
    """

    delimiter: str | None = None
    decimal: str = "."
    encoding: str = "utf8"
    missing: tuple[str, ...] = ()
    header: bool | None = None
    names: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()
    skipped: int = 0
    line_end: str = "\n"

    @property
    def settings(self) -> dict[str, Any]:
        """Return what was said of it, where that is not the default."""
        default = Dialect()
        found = {name: getattr(self, name) for name in ("delimiter", "decimal", "encoding")}
        chosen = {name: each for name, each in found.items() if each != getattr(default, name)}
        return chosen | ({"missing": [*self.missing]} if self.missing else {})

    def of_file(self, address: Address) -> Dialect:
        """Return the dialect with the delimiter and names that the first line of a file tells."""
        with opened(address) as (file, _):
            try:
                start = start_of(file, self.encoding, self.delimiter)
            except (UnicodeError, LookupError) as error:
                raise self.not_decoded(address) from error
        line = start.line
        if "\0" in line:
            raise self.not_decoded(address)
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise SourceError(f"delimiter is one character, not {self.delimiter!r}.")
        delimiter = self.delimiter or _likeliest(line, self.decimal)
        fields = _fields(line, delimiter)
        if not fields:
            raise SourceError(nothing_in(address) or NO_LINE.format(address))
        named = self._has_names(fields)
        places = range(len(fields))
        names = [f"c{place}" for place in places]
        unnamed: tuple[str, ...] = ()
        if named:
            names = [fields[place].strip() or f"unnamed {place}" for place in places]
            unnamed = tuple(names[place] for place in places if not fields[place].strip())
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SourceError(f"{address} has two columns named {twice!r}. Rename one of them.")
        if len(unnamed) == len(names):
            raise SourceError(f"{address} names no column in its first line.")
        skipped = start.empty + (start.lines if named else 0)
        return replace(
            self, delimiter=delimiter, names=tuple(names), unnamed=unnamed, skipped=skipped,
            encoding=start.encoding, line_end=start.line_end,
        )  # fmt: skip

    def _has_names(self, fields: Sequence[str]) -> bool:
        """Return whether the fields of the first line are names, and not numbers alone."""
        if self.header is not None:
            return self.header
        values = {*self.missing_values}
        return not all(
            field.strip() in values or _is_number(field, self.decimal) for field in fields
        )

    @property
    def missing_values(self) -> list[str]:
        """All texts that stand for a missing value."""
        return [*MISSING, *self.missing]

    @property
    def columns(self) -> list[str]:
        """Names of the columns that are read."""
        return [name for name in self.names if name not in self.unnamed]

    def warn(self, address: Address) -> None:
        """Say which columns are left out, as they have no name."""
        if self.unnamed:
            places = ", ".join(str(1 + self.names.index(name)) for name in self.unnamed)
            warn_user(
                f"{address}: column {places} has no name, as an index that pandas writes, and is "
                "left out. Name it in the first line if it is a feature."
            )

    def not_decoded(self, address: Address) -> SourceError:
        """Return the error for a file that has another encoding."""
        return SourceError(
            f"{address} is not encoded as {self.encoding}. Convert it with its own encoding, by "
            f"{remedy(*WITH_ENCODING)}: latin-1 "
            "or cp1252 of older programs on Windows, utf-16 of exports as Unicode text."
        )


@contextmanager
def opened(address: Address) -> Iterator[tuple[Any, Any]]:
    """Yield the file as bytes, and as it is stored, whose position tells how far reading is."""
    with (
        told_if_empty(address, SourceError),
        address.explain(SourceError, f"{address} cannot be read", "Is the path right?"),
    ):
        path = address.path
        if path is not None and path.suffix.lower() in SUFFIXES and path.is_file():
            with path.open("rb") as plain:
                yield plain, plain
            return
        # Its import takes longer than what is wrong with a table should take to be told.
        from fsspec.compression import compr
        from fsspec.utils import infer_compression

        system, name = address.system
        if not system.exists(name):
            # It imports Zarr, which the names of columns do not wait for.
            from daskgmm.rows.stores.zarr_opening import missing

            raise SourceError(missing(address, is_file=True))
        with system.open(name, "rb") as stored:
            kind = infer_compression(name)
            yield (stored if kind is None else compr[kind](stored, mode="r")), stored


def is_csv(name: str) -> bool:
    """Return whether a path or URL has the suffix of CSV files, compressed ones too."""
    return name.lower().endswith(ALL_SUFFIXES)


def _likeliest(line: str, decimal: str) -> str:
    """Return the delimiter that makes the most fields of a line."""
    usable = [each for each in DELIMITERS if each != decimal and each in line]
    return max(usable, key=lambda each: len(_fields(line, each)), default=",")


def _fields(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _is_number(field: str, decimal: str) -> bool:
    try:
        float(field.replace(decimal, "."))
    except ValueError:
        return False
    return True
