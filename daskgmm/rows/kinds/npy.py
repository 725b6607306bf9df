"""Local .npy files, which are mapped into memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from daskgmm.companions import WEIGHTS
from daskgmm.errors import SourceError
from daskgmm.rows.kinds.memory import Mapped
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source, path_of
from daskgmm.rows.stores.zarr_opening import missing
from daskgmm.storage.emptiness import told_if_empty


class Npy(Source):
    """The path of a .npy file on this machine."""

    suffixes = (".npy",)

    @classmethod
    def matches(cls, x: Any) -> bool:
        return super().matches(x) and "://" not in (path_of(x) or "")

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        return Mapped(self.open()).rows()

    def open(self, columns: Sequence[str] | None = None) -> Any:
        """Return a memory map of the file."""
        address, path = self.address, cast("Path", self.address.path)
        if not path.exists():
            raise SourceError(missing(address))
        advice = "Write it with numpy.save from an array of plain numbers."
        with (
            told_if_empty(address, SourceError),
            address.explain(SourceError, f"{address} cannot be mapped into memory", advice),
        ):
            return np.load(path, mmap_mode="r", allow_pickle=False)

    def lazy(self, columns: Sequence[str] | None = None) -> None:
        """Return None: the file is mapped into memory."""

    def as_weights(self, rows: Rows, name: str = WEIGHTS) -> Rows:
        return Mapped(self.open()).as_weights(rows, name)
