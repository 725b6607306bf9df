"""Formats of tables with a log that tells which of their files hold rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """A format of tables.

    Attributes
    ----------
    name : str
    folder : str
        The folder in the directory of a table that identifies the format, mostly that of the log.
    log : str
        A pattern that the names of some files in `folder` match.
    advice : str
        Advice on a copy of the rows, where daskgmm does not read the log.
    beside : str
        A pattern that the names of some folders beside `folder` match; empty where the log is
        sufficient evidence.
    """

    name: str
    folder: str
    log: str
    advice: str = ""
    beside: str = ""

    def is_log(self, name: str) -> bool:
        """Return whether a file of this name in `folder` is one of the log."""
        return re.fullmatch(self.log, name) is not None

    def is_beside(self, names: Iterable[str]) -> bool:
        """Return whether one of the names in the directory of the table matches `beside`."""
        return not self.beside or any(re.fullmatch(self.beside, name) for name in names)


DELTA = Format("a Delta Lake table", "_delta_log", r"\d{20}\..*|_last_checkpoint")

FORMATS = (
    DELTA,
    Format(
        "an Apache Iceberg table", "metadata",
        r"(v\d+|\d{5,}-.*)(\.gz)?\.metadata\.json(\.gz)?|version-hint\.text",
        "Copy what it holds, as with polars.scan_iceberg(table).sink_parquet('copy.parquet'), "
        "where table is what pyiceberg.catalog.load_catalog(...).load_table(name) returns",
    ),
    Format(
        "an Apache Hudi table", ".hoodie", r".+",
        "Copy its latest snapshot, as with spark.read.format('hudi').load(path)"
        ".write.parquet('copy.parquet'), or from Python with read_snapshot() of the package hudi",
    ),
    Format(
        "an Apache Paimon table", "schema", r"schema-\d+",
        "Copy what it holds, as with spark.read.format('paimon').load(path)"
        ".write.parquet('copy.parquet')",
        beside=r"snapshot|bucket-.+",
    ),
    Format(
        "the output of a Spark stream", "_spark_metadata", r"\d+(\.compact)?",
        "Copy what it holds, as with spark.read.parquet(path).write.parquet('copy.parquet')",
    ),
)  # fmt: skip
