"""Datasets of h5py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daskgmm.companions import WEIGHTS
from daskgmm.rows.checks.layout import check_rows
from daskgmm.rows.matching import check_matched
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.stores.hdf5 import HDF5Rows, Stored, check_readable, is_hdf5


class HDF5(Source):
    """A dataset of h5py in an open file."""

    @classmethod
    def matches(cls, x: Any) -> bool:
        return is_hdf5(x)

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        check_readable(self.x)
        check_rows(self.x.shape, self.x.dtype)
        return HDF5Rows(self.x)

    def as_weights(self, rows: Rows, name: str = WEIGHTS) -> Rows:
        check_readable(self.x)
        check_matched(rows, self.x, name)
        return HDF5Rows(self.x, rows.lengths)

    @property
    def origin(self) -> str | None:
        """The path of the file, if other processes can read it."""
        return Stored.of(self.x).path
