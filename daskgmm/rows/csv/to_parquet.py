"""CSV files become one Parquet file, block by block."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from daskgmm.counting import counted
from daskgmm.errors import DataError, OutputError
from daskgmm.markup.carded import Carded, Grid, Sheet
from daskgmm.names import PARQUET_SUFFIXES
from daskgmm.rows.csv.blocks import Types, blocks, in_fitting_types
from daskgmm.rows.csv.dialect import Dialect, opened
from daskgmm.rows.parquet.files import CHECKED
from daskgmm.rows.tables.arrow_texts import is_text
from daskgmm.rows.tables.requiring import require
from daskgmm.rows.tables.text_columns import LOOKED_AT, converting, mostly_numbers
from daskgmm.storage.address import Address, Paths
from daskgmm.storage.local import exists
from daskgmm.storage.masking import StorageOptions
from daskgmm.user_warnings import warn_user

Progress = Callable[[int, int], None]
"""Callable that takes bytes read and their total."""


@dataclass(frozen=True)
class Converted(Carded):
    """What was written.

    Attributes
    ----------
    path : str
        The Parquet file.
    rows : int
        Number of its rows.
    columns : dict of str to str
        Type of each column, as Arrow names it.
    """

    path: str
    rows: int
    columns: dict[str, str]

    def _sheet(self) -> Sheet:
        grid = Grid("Columns", ("column", "type"), [*self.columns.items()], left=(0, 1))
        return Sheet(f"{counted(self.rows, 'row')} of Parquet", [("path", self.path)], [grid])

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Columns that hold no numbers."""
        numbers = ("int", "uint", "float", "double", "bool", "decimal")
        return tuple(name for name, kind in self.columns.items() if not kind.startswith(numbers))


def csv_to_parquet(
    csv: Paths,
    out: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    decimal: str = ".",
    encoding: str = "utf8",
    missing: Sequence[str] = (),
    header: bool | None = None,
    overwrite: bool = False,
    storage_options: StorageOptions | None = None,
    progress: Progress | None = None,
) -> Converted:
    """Write CSV files as one Parquet file, which is read in chunks and far faster.

    Memory is bounded, whatever the size of the files. A column has the narrowest type that all its
    values have: integers, floats, truth values, dates and times, or else text. Where a late value
    does not fit the type of those before, reading begins anew.

    Parameters
    ----------
    csv : str, path, or list of these
        Files with the same columns, local or at URLs, also compressed (.gz, .bz2, .xz, .zst). Rows
        follow each other in this order.
    out : str or path
        The Parquet file, local or at a URL. It appears when it is whole.
    delimiter : str, optional
        Character between fields; by default the first line tells comma, semicolon, tab or bar.
    decimal : str, default="."
        Decimal point of numbers.
    encoding : str, default="utf8"
        Encoding of the files.
    missing : sequence of str
        Texts that stand for a missing value, besides an empty field and NA, NaN and null.
    header : bool, optional
        Whether the first line has the names of the columns; by default it tells: a line of numbers
        and missing values has none, and columns are c0, c1 and so on. Columns without a name, such
        as an index that pandas writes, are left out with a warning.
    overwrite : bool, default=False
        Whether a file at `out` may be replaced.
    storage_options : mapping, optional
        Options of the file systems of URLs, as fsspec takes them.
    progress : callable, optional
        Called with the stored bytes that were read, and the bytes of all files.

    Returns
    -------
    Converted
        Rows, and the type of each column.

    Raises
    ------
    FileExistsError
        If there is something at `out`.
    DataError
        If a line has too few or too many fields, or files have other columns than the first.
    SourceError
        If a file cannot be read or decoded.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import pandas as pd
    >>> from daskgmm import csv_to_parquet
    >>> flights = pd.DataFrame({"delay": [-2.5, 11.0], "carrier": ["AA", "UA"]})
    >>> flights.to_csv("flights.csv", index=False)
    >>> csv_to_parquet("flights.csv", "flights.parquet")
    Converted(path='flights.parquet', rows=2, columns={'delay': 'double', 'carrier': 'string'})
    """
    sources, target = Address.all_of(csv, storage_options), Address.of(out, storage_options)
    if not sources:
        raise DataError("There is no CSV file; give at least one.")
    _check_target(sources, target, overwrite)
    given = Dialect(delimiter, decimal, encoding, tuple(missing), header)
    dialects = [given.of_file(source) for source in sources]
    dialects[0].warn(sources[0])
    for source, dialect in zip(sources, dialects, strict=True):
        if dialect.names != dialects[0].names:
            raise DataError(
                f"{source} has the columns {', '.join(dialect.names)}, and {sources[0]} has "
                f"{', '.join(dialects[0].names)}. Files of one table have the same, in one order."
            )
    files = list(zip(sources, dialects, _told(sources, progress), strict=True))
    advice = "Choose a place that can be written."
    with _aside(target) as path, target.explain(OutputError, f"{target} cannot be written", advice):
        rows, schema = in_fitting_types(lambda types: _write(files, path, types))
        columns = {field.name: str(field.type) for field in schema}
        texts = _first_texts(path, columns)
        numbers = dict(mostly_numbers(texts))
        target.put(path)
    if numbers:
        settings = given.settings
        how = converting([source.url for source in sources], texts, target.url, settings)
        warn_user(_left_as_text(numbers, how))
    return Converted(target.url, rows, columns)


def _first_texts(path: Path, columns: Mapping[str, str]) -> Any:
    """Return the columns of text of the first rows of what was written."""
    texts = [name for name, kind in columns.items() if is_text(kind)]
    with require("pyarrow.parquet").ParquetFile(path) as file:
        return next(file.iter_batches(LOOKED_AT, row_groups=[0], columns=texts))


def _left_as_text(numbers: Mapping[str, str], how: str) -> str:
    listed = ", ".join(f"{name!r} (such as {examples})" for name, examples in numbers.items())
    return (
        f"Text columns that contain mostly numbers: {listed}. To make them numbers, convert again: "
        f"{how}."
    )


def _check_target(sources: Sequence[Address], target: Address, overwrite: bool) -> None:
    if not target.url.endswith(PARQUET_SUFFIXES):
        raise OutputError(f"{target} does not end in .parquet, by which it is recognised.")
    if any(_is_same(source, target) for source in sources):
        raise OutputError(f"{target} is a file that is read. Choose another place.")
    path = target.path
    target.check_place(OutputError)
    if path is not None and path.is_dir():
        raise FileExistsError(f"{target} is a folder. Choose another place (--out).")
    if target.exists() and not overwrite:
        raise FileExistsError(exists(str(target)))


def _is_same(one: Address, other: Address) -> bool:
    """Return whether two addresses are of one file, by whatever name."""
    if one.path is None or other.path is None:
        return one.url == other.url
    return one.path.resolve() == other.path.resolve()


def _told(sources: Sequence[Address], progress: Progress | None) -> list[Callable[[int], None]]:
    """Return for each file the function that takes the bytes of it that were read."""
    if progress is None:
        return [lambda _: None] * len(sources)
    sizes = []
    for source in sources:
        with opened(source) as (_, stored):
            sizes.append(int(stored.seek(0, 2)))
    total = sum(sizes)

    def after(before: int) -> Callable[[int], None]:
        return lambda read: progress(before + read, total)

    return [after(sum(sizes[:number])) for number in range(len(sizes))]


@contextmanager
def _aside(target: Address) -> Iterator[Path]:
    """Yield the path of a file that is written before the target appears, and removed."""
    if target.path is None:
        with tempfile.TemporaryDirectory(prefix="daskgmm-") as folder:
            yield Path(folder) / "rows.parquet"
        return
    path = target.path.with_name(f".{target.path.name}.{uuid4().hex}.partial")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _write(files: Sequence[Any], path: Path, types: Types) -> tuple[int, Any]:
    """Write all files; return the number of rows, and the schema."""
    rows, writer, schema = 0, None, None
    try:
        for source, dialect, at in files:
            known = types if schema is None else dict(zip(schema.names, schema.types, strict=True))
            for block in blocks(source, dialect, known, at):
                if writer is None:
                    schema = _stored(block.schema)
                    writer = require("pyarrow.parquet").ParquetWriter(path, schema, **CHECKED)
                writer.write_table(block.cast(schema))
                rows += len(block)
        if writer is None:
            raise DataError(f"{files[0][0]} has no rows below its header.")
    finally:
        if writer is not None:
            writer.close()
    return rows, schema


def _stored(schema: Any) -> Any:
    """Return the schema to write: a column without any value may hold numbers."""
    arrow = require("pyarrow")
    fields = [
        field.with_type(arrow.float64()) if arrow.types.is_null(field.type) else field
        for field in schema
    ]
    return arrow.schema(fields)
