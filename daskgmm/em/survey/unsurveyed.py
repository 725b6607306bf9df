"""Passes over rows that no survey looks at, with its warning of integers that float64 rounds."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from operator import add
from typing import Any, Generic, TypeVar

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.events import Listener
from daskgmm.em.passing import Counted, Pass, run_pass
from daskgmm.em.survey.long_integers import warn_of_reach
from daskgmm.gaussian.block import Block
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import map_batches
from daskgmm.passes.task import Work
from daskgmm.passes.transform import Transform, TransformedWork
from daskgmm.rows.rows import Rows

Result = TypeVar("Result")

CountedResult = TypeVar("CountedResult", bound=Counted)


@dataclass(frozen=True, slots=True)
class Reached(Generic[Result]):
    """A result of rows, and the largest absolute values of some columns, as read."""

    value: Result
    reach: Array

    @property
    def rows(self) -> int:
        """The number of rows."""
        counted_value: Any = self.value
        return int(counted_value.rows)

    def __add__(self, other: Reached[Result]) -> Reached[Result]:
        """Return the result of both sets of rows."""
        value: Any = self.value
        return Reached(value + other.value, np.maximum(self.reach, other.reach))


@dataclass(frozen=True, slots=True)
class Reaching(Generic[Result]):
    """Work that also tells how far the values of some columns reach; rows of weight 0 do not."""

    work: Work[Result]
    columns: tuple[int, ...]

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Reached[Result]:
        """Return the result of the work on the batch, and the reach of its columns."""
        reach = np.zeros(len(self.columns))
        return Reached(self.work(batch, self._watched(blocks, reach)), reach)

    def _watched(self, blocks: Iterator[Block], reach: Array) -> Iterator[Block]:
        for block in blocks:
            counted = slice(None) if block.weights is None else block.weights > 0
            for place, column in enumerate(self.columns):  # a copy of one at most
                x = block.x[counted, column]
                ends = np.fmax.reduce(x, initial=0), np.fmin.reduce(x, initial=0)
                reach[place] = max(reach[place], float(ends[0]), -float(ends[1]))
            yield block


def run_unsurveyed(data: Dataset, asked: Pass[CountedResult], listen: Listener) -> CountedResult:
    """Return the result of a pass over rows without a survey; warn of integers it rounded."""
    columns = _watched_columns(data.rows)
    if not columns:
        return run_pass(data, asked, listen)[0]
    mapping = Transform(coordinates=data.transform.coordinates)
    work = Reaching(TransformedWork(mapping, asked.work), columns)
    watched: Pass[Reached[CountedResult]]
    watched = Pass(asked.kind, work, add, asked.nbytes, asked.tasks)
    found = run_pass(data.in_coordinates(None), watched, listen)[0]
    warn_of_reach(found.reach, columns, data.rows)
    return found.value


def map_unsurveyed(data: Dataset, work: Work[Result], name: str) -> Generator[Result]:
    """Yield the results of batches of rows as read, without a survey; then warn likewise."""
    columns = _watched_columns(data.rows)
    if not columns:
        yield from map_batches(data, work, name=name)
        return
    reach = np.zeros(len(columns))
    for part in map_batches(data, Reaching(work, columns), name=name):
        np.maximum(reach, part.reach, out=reach)
        yield part.value
    warn_of_reach(reach, columns, data.rows)


def _watched_columns(rows: Rows) -> tuple[int, ...]:
    return tuple(j for j, is_long in enumerate(rows.has_long_integers) if is_long)
