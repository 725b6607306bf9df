"""Groups of rows that are held out together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.counting import counted
from daskgmm.em.checkpoints.fingerprint import plain_digest
from daskgmm.rows.checks.plain import plain
from daskgmm.rows.labelled.grid_rows import GridRows
from daskgmm.rows.matching import FIND_LENGTHS
from daskgmm.rows.rows import Rows


class Groups:
    """The groups of rows, looked up by their numbers; refused unless there is one for each row."""

    def __init__(self, groups: Any, rows: Rows) -> None:
        n_rows = rows.n_rows
        if isinstance(rows, GridRows) and rows.n_dims > 1:
            raise ValueError(
                f"groups go by row numbers, and the points of a grid of {rows.n_dims} dimensions "
                "come block by block. X of one sample dimension, or one that is loaded, comes in "
                "its own order."
            )
        if n_rows is None:
            raise ValueError(
                "groups need rows that are numbered, and some chunks of X have no known "
                f"length: {FIND_LENGTHS}."
            )
        self._groups = plain(groups, "groups")
        if self._groups.shape != (n_rows,):
            raise ValueError(
                f"groups has shape {self._groups.shape} and X has {counted(n_rows, 'row')}; give "
                "one a row."
            )
        if len(np.unique(self._groups)) < 2:
            raise ValueError("groups has a single value: nothing would be left to fit to.")

    def __call__(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a number for the group of each of these rows."""
        numbers: NDArray[np.int64] = np.unique(self._groups[index], return_inverse=True)[1]
        return numbers

    @property
    def digest(self) -> str:
        """A digest of some of them."""
        some = np.linspace(0, len(self._groups) - 1, min(len(self._groups), 1000)).astype(int)
        return plain_digest(self._groups[some].tolist())
