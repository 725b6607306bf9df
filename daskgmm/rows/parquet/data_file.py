"""Description of a Parquet file to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daskgmm.storage.address import Address


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file, with columns from the names of directories or the log of a table.

    Attributes
    ----------
    address : Address
    partition : mapping of pyarrow.Scalar
        Columns that partition rows into files, with the value of this file's rows.
    table : mapping of pyarrow.Scalar
        All columns of the table of the file, in order, each with the null that it has where the
        file lacks it. Other columns of the file are not read. Empty without a table.
    """

    address: Address
    partition: Mapping[str, Any] = field(default_factory=dict)
    table: Mapping[str, Any] = field(default_factory=dict)
