"""Rows as a lazy array of Dask."""

from __future__ import annotations

import uuid
from typing import Any

import dask.array as da
import numpy as np
from dask._task_spec import Task
from dask.highlevelgraph import HighLevelGraph
from numpy.typing import NDArray

from daskgmm.rows.retries import configured_retries
from daskgmm.rows.rows import UNKNOWN, Rows, Segment


def rows_as_dask(rows: Rows) -> Any:
    """Return rows as a lazy array with a block for each chunk, which tasks read."""
    # A new name each time: the values at an address may change.
    name, retries = f"rows-{uuid.uuid4().hex}", configured_retries()
    lengths = tuple(int(m) for m in rows.lengths) or (0,)
    blocks = [rows.segment(i, i + 1) for i in range(len(rows.lengths))] or [rows.segment(0, 0)]
    nothing = np.empty((0, rows.n_features), rows.dtype)
    tasks: dict[Any, Task] = {
        (name, index, 0): Task((name, index, 0), read_chunk, segment, nothing, retries)
        for index, segment in enumerate(blocks)
    }
    chunks = (tuple(np.nan if m == UNKNOWN else m for m in lengths), (rows.n_features,))
    graph = HighLevelGraph.from_collections(name, tasks)
    return da.Array(graph, name, chunks, dtype=rows.dtype)


def read_chunk(segment: Segment, nothing: NDArray[Any], retries: int) -> NDArray[Any]:
    """Return all rows of a segment as one block."""
    blocks = list(segment.stream(retries=retries))
    return blocks[0] if len(blocks) == 1 else np.concatenate([nothing, *blocks])
