"""Local .npy files, which are mapped into memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from daskgmm.errors import SourceError
from daskgmm.files import is_url
from daskgmm.rows.kinds.memory import Mapped
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source, path_of
from daskgmm.rows.stores.zarr_opening import missing


class Npy(Source):
    """The path of a .npy file on this machine."""

    suffixes = (".npy",)

    @classmethod
    def matches(cls, x: Any) -> bool:
        return super().matches(x) and not is_url(path_of(x) or "")

    def rows(self, columns: Sequence[str] | None = None) -> Rows:
        return Mapped(self.open()).rows()

    def open(self, columns: Sequence[str] | None = None) -> Any:
        """Return a memory map of the file.

        Raises
        ------
        SourceError
            If there is none, or it holds no plain numbers.
        """
        name = self.path or ""
        try:
            return np.load(Path(name).expanduser(), mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            raise SourceError(missing(name)) from error
        except (OSError, ValueError) as error:
            raise SourceError(
                f"{name} cannot be mapped into memory ({type(error).__name__}: {error}). Write it "
                "with numpy.save from an array of plain numbers."
            ) from error

    def lazy(self, columns: Sequence[str] | None = None) -> None:
        """Return None: the file is mapped into memory."""

    def as_weights(self, rows: Rows) -> Rows:
        return Mapped(self.open()).as_weights(rows)
