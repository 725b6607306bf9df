"""A Parquet file among those that rows are read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file, and what is known of its rows from elsewhere.

    Attributes
    ----------
    path : str
        Or URL.
    partition : mapping of pyarrow.Scalar
        Columns by which rows are parted into files, with the value of this file's rows.
    absent : mapping of pyarrow.Scalar
        Columns that all files of a table have, with a null for where this file lacks one.
    """

    path: str
    partition: Mapping[str, Any] = field(default_factory=dict)
    absent: Mapping[str, Any] = field(default_factory=dict)
