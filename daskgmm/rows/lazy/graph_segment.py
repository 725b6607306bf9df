"""Consecutive row blocks of a Dask array, computed one after another by the task itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError
from daskgmm.rows.checks.layout import check_real
from daskgmm.rows.checks.plain import unmasked
from daskgmm.rows.checks.refusals import check_block
from daskgmm.rows.lazy.graph import Graph, Key, Nodes
from daskgmm.rows.retries import retried
from daskgmm.rows.rows import UNKNOWN
from daskgmm.rows.zarr_nodes.presence import check_metadata_files


@dataclass(frozen=True, slots=True)
class RowBlock:
    """One chunk of rows: the keys of its column blocks, and the shape that it must have.

    Attributes
    ----------
    index : int
        Index of the chunk, for messages.
    keys : tuple
        Keys of its blocks, from the first columns to the last.
    rows : int
        Number of rows, or `UNKNOWN`.
    shape : tuple of int
        Shape of one row: (d,), or () for weights.
    axes : int
        Number of first axes of a block that are those of a grid, whose points are rows.
    """

    index: int
    keys: tuple[Key, ...]
    rows: int
    shape: tuple[int, ...]
    axes: int = 1


@dataclass(frozen=True, slots=True)
class GraphSegment:
    """A run of row blocks with exactly the part of the graph that they need.

    The part runs in the calling thread, without a scheduler, depth first from each row block in
    turn: a block is yielded as soon as it is computed, and an intermediate result is dropped after
    its last use. So memory depends on the results that blocks share, not on the number of blocks.
    (Dask's own order serves many threads and may finish the last block first.)

    Attributes
    ----------
    graph : Graph
        The culled graph; its futures are the segment's dependencies. A pickle has the keys of
        the futures only.
    blocks : tuple of RowBlock
    """

    graph: Graph
    blocks: tuple[RowBlock, ...]

    @property
    def dependencies(self) -> tuple[Any, ...]:
        """Futures whose results `stream` needs; where it was unpickled, as many None."""
        return tuple(self.graph.futures.values())

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Compute and yield block after block; fetch the dependencies if they are not given."""
        # No name refers to a block while the caller works on it.
        yield from map(joined, self.values(dependencies, retries), self.blocks)

    def values(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[list[Any]]:
        """Compute and yield the values of the keys of each block, unchecked."""
        retried(partial(check_metadata_files, self.graph.metadata_files), retries)
        nodes = self.graph.nodes
        values = self._inputs(dependencies)
        uses = Counter(key for block in self.blocks for key in block.keys)
        for node in nodes.values():
            uses.update(node.dependencies)
        for block in self.blocks:
            for key in block.keys:
                _evaluate(key, nodes, values, uses, retries)
            yield _taken(block.keys, values, uses)

    def _inputs(self, dependencies: Sequence[Any]) -> dict[Key, Any]:
        futures = self.graph.futures
        results = dependencies
        if not results and futures:
            if None in futures.values():
                raise ValueError(
                    "This segment was unpickled and has no futures of its own; pass the results "
                    "of its dependencies to stream."
                )
            results = [future.result() for future in futures.values()]
        return dict(zip(futures, results, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        # A future that is unpickled inside a task looks for a client: the results come as
        # the task's own dependencies instead.
        graph = replace(self.graph, futures=dict.fromkeys(self.graph.futures))
        return GraphSegment, (graph, self.blocks)


def _evaluate(
    key: Key, nodes: Nodes, values: dict[Key, Any], uses: Counter[Key], retries: int
) -> None:
    """Put the value of `key` into `values`, computing what is missing, depth first."""
    stack = [key]
    while stack:
        current = stack[-1]
        if current in values:
            stack.pop()
            continue
        node = nodes[current]
        missing = [needed for needed in node.dependencies if needed not in values]
        if missing:
            stack.extend(missing)
            continue
        arguments = {needed: values[needed] for needed in node.dependencies}
        values[current] = retried(partial(node, arguments), retries)
        del arguments
        _release(node.dependencies, values, uses)


def _release(used: Any, values: dict[Key, Any], uses: Counter[Key]) -> None:
    """Count one use of each key and drop the values that have no use left."""
    for key in used:
        uses[key] -= 1
        if not uses[key]:
            del values[key]


def _taken(keys: tuple[Key, ...], values: dict[Key, Any], uses: Counter[Key]) -> list[Any]:
    """Return the values of `keys` and count one use of each."""
    taken = [values[key] for key in keys]
    _release(keys, values, uses)
    return taken


def joined(columns: list[Any], block: RowBlock) -> NDArray[Any]:
    """Concatenate column blocks, and check that they are the announced rows."""
    for part in columns:
        what = f"Chunk {block.index} of the dask array"
        unmasked(part, what)
        check_block(part, what)
        check_real(part.dtype, what)
    side_by_side = all(part.ndim == 2 for part in columns) and len(columns) > 1
    rows: NDArray[Any] = np.concatenate(columns, axis=1) if side_by_side else columns[0]
    if block.axes > 1:
        rows = rows.reshape(-1, *rows.shape[block.axes :])
    expected = ("any" if block.rows == UNKNOWN else block.rows, *block.shape)
    fits = rows.ndim == len(expected) and rows.shape[1:] == block.shape
    if not fits or block.rows not in (UNKNOWN, len(rows)):
        raise DataError(
            f"Chunk {block.index} of the dask array has shape {rows.shape}, but {expected} was "
            "announced; give the function that makes it the right chunks, for example "
            "X.map_blocks(f, chunks=...)."
        )
    return rows
