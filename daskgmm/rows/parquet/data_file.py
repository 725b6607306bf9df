"""A Parquet file among those that rows are read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daskgmm.storage.address import Address


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file, and what is known of its rows from elsewhere.

    Attributes
    ----------
    address : Address
    partition : mapping of pyarrow.Scalar
        Columns by which rows are parted into files, with the value of this file's rows.
    table : mapping of pyarrow.Scalar
        The columns of the table that it is a file of, in order, each with a null of its type for
        where the file lacks it; others in the file are none of the table. Empty of plain files.
    """

    address: Address
    partition: Mapping[str, Any] = field(default_factory=dict)
    table: Mapping[str, Any] = field(default_factory=dict)
