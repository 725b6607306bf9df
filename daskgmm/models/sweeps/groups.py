"""Groups of rows that are held out together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from daskgmm.companions import ALONE, Companions
from daskgmm.counting import counted
from daskgmm.em.checkpoints.fingerprint import plain_digest
from daskgmm.em.scores import GROUPS_ARE, check_exact
from daskgmm.em.selection.holding_out import Groups
from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block
from daskgmm.models.inputs.named_groups import numbered_groups
from daskgmm.models.inputs.target import in_memory
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import map_batches
from daskgmm.rows.checks.plain import plain
from daskgmm.rows.labelled.grid_rows import GridRows
from daskgmm.rows.matching import FIND_LENGTHS
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source

ALIKE = "groups has a single value: nothing would be left to fit to."


class GroupsInMemory:
    """Groups in an array, refused unless there is one for each row."""

    def __init__(self, groups: Any, rows: Rows) -> None:
        n_rows = rows.n_rows
        if isinstance(rows, GridRows) and rows.n_dims > 1:
            raise ValueError(
                f"groups go by row numbers, and the points of a grid of {rows.n_dims} dimensions "
                "come block by block. X of one sample dimension, or one that is loaded, comes in "
                "its own order."
            )
        if n_rows is None:
            raise _not_numbered()
        values = plain(groups, "groups")
        if values.shape != (n_rows,):
            raise ValueError(
                f"groups has shape {values.shape} and X has {counted(n_rows, 'row')}; give one a "
                "row."
            )
        self._groups = _known(values)
        if len(np.unique(self._groups)) < 2:
            raise ValueError(ALIKE)

    def __call__(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a number for the group of each of these rows."""
        return numbered(self._groups[index], index)

    @property
    def digest(self) -> str:
        """A digest of some of them."""
        return plain_digest(self._groups[_some_of(len(self._groups))].tolist())


class GroupsBesideRows:
    """Groups that are stored or lazy: what is asked for is read in a pass over them alone.

    Parameters
    ----------
    groups : Rows
        Numbers, of one axis, in the chunks of the rows.
    """

    def __init__(self, groups: Rows) -> None:
        if groups.n_rows is None:
            raise _not_numbered()
        self._groups, self._n_rows = groups, groups.n_rows

    def __call__(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a number for the group of each of these rows; raise `ValueError` if all are one.

        Raises
        ------
        DataError
            If one of these rows has no group.
        """
        order = np.argsort(index)
        values = np.empty(len(index))
        values[order] = self._read(index[order])
        numbers = numbered(values, index)
        if not numbers.any():
            raise ValueError(ALIKE)
        return numbers

    @property
    def digest(self) -> str:
        """A digest of some of them."""
        return plain_digest(self._read(_some_of(self._n_rows)).tolist())

    def _read(self, index: NDArray[np.int64]) -> NDArray[Any]:
        """Return the groups of rows whose numbers ascend."""
        with closing(Dataset.of(self._groups, ALONE, 1, 1)) as data:
            parts = list(map_batches(data, partial(_picked, index), name="daskgmm_groups"))
        return np.concatenate(parts)


def numbered(groups: NDArray[Any], index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return groups (m,) of rows with these numbers as numbers from 0 on, in the order of the rows.

    So folds depend on what belongs together, and not on what groups are called.
    """
    order = np.argsort(index)
    _, first, places = np.unique(groups[order], return_index=True, return_inverse=True)
    ranks = np.empty(len(first), np.int64)
    ranks[np.argsort(first)] = np.arange(len(first))
    found = np.empty(len(index), np.int64)
    found[order] = ranks[places]
    return found


def _picked(index: NDArray[np.int64], batch: Batch, blocks: Iterator[Block]) -> NDArray[Any]:
    """Return the groups of those rows of a batch whose numbers, ascending, are asked for."""
    found, first = [np.empty(0)], batch.start_row
    for block in blocks:
        begin, end = np.searchsorted(index, (first, first + len(block.x)))
        some = block.x[index[begin:end] - first]
        if some.dtype.kind == "f" and np.isnan(some).any():
            row = int(index[begin + np.argmax(np.isnan(some))]) - batch.start_row
            raise DataError(f"groups is missing in {batch.place(row)}, and {GROUPS_ARE}.")
        check_exact(some, partial(_place, batch, index[begin:end]))
        found.append(some)
        first += len(block.x)
    return np.concatenate(found)


def _place(batch: Batch, index: NDArray[np.int64], row: int) -> str:
    return batch.place(int(index[row]) - batch.start_row)


def _known(groups: NDArray[Any]) -> NDArray[Any]:
    """Return groups that can be ordered; raise `DataError` if some are missing."""
    missing = pd.isna(groups) if groups.dtype.kind in "fMO" else np.zeros(len(groups), bool)
    if missing.any():
        raise DataError(f"groups is missing in row {int(np.argmax(missing))}, and {GROUPS_ARE}.")
    if groups.dtype.kind == "f":
        check_exact(groups, lambda row: f"row {row}")
    # Numbers and texts together have no order.
    return np.asarray(pd.factorize(groups)[0]) if groups.dtype.kind == "O" else groups


def _some_of(n_rows: int) -> NDArray[np.int64]:
    return np.linspace(0, n_rows - 1, min(n_rows, 1000)).astype(np.int64)


def _not_numbered() -> ValueError:
    return ValueError(
        f"groups need rows that are numbered, and some chunks of X have no known length: "
        f"{FIND_LENGTHS}."
    )


def groups_given(source: Source, groups: Any) -> tuple[Source, Any, Any]:
    """Return X, groups in memory and groups that go beside its rows, of which one is None.

    X is without a column of names of groups, and those that go beside rows are numbers.
    """
    if groups is None or (not isinstance(groups, str) and in_memory(groups)):
        return source, groups, None
    left, numbers = numbered_groups(source, groups, None, ALONE)
    return left, None, numbers


def groups_of(rows: Rows, groups: Any, beside: Companions[Rows]) -> Groups | None:
    """Return the groups of rows, in memory or beside them; None without any."""
    if beside.groups is not None:
        return GroupsBesideRows(beside.groups)
    return None if groups is None else GroupsInMemory(groups, rows)
