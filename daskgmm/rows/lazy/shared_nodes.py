"""Computation, once, of the results of a graph that many row chunks share.

In ``X = (a - a.mean(0)) / a.std(0)`` every chunk of X needs the mean, and the mean needs all of a:
with the mean in the sub-graphs, every batch of every pass would read all the data.
"""

from __future__ import annotations

import pickle
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import dask.base
import dask.threaded
import numpy as np
from dask._task_spec import Alias, DataNode, GraphNode, Task, TaskRef

from daskgmm.blas import one_blas_thread
from daskgmm.rows.lazy.graph import Graph, Key
from daskgmm.rows.retries import retried
from daskgmm.rows.rows import Get
from daskgmm.rows.zarr_nodes.presence import check_metadata_files

SMALL_FRACTION = 1 / 16
"""Largest size of all kept results together, as a fraction of the data."""

LEAST_KEPT_BYTES = 1 << 20
"""Bytes of results that may be kept for data of any size."""

MOST_KEPT_BYTES = 64 << 20
"""Largest number of bytes of results that are kept: every batch has a copy."""

Span = tuple[int, int]
"""First and last row chunk among those that use a node."""


def with_shared_computed(
    graph: Graph,
    chunks: Sequence[tuple[Key, ...]],
    nbytes: float,
    get: Get | None = None,
    retries: int = 0,
) -> Graph:
    """Compute results that many row chunks share, once, and put them into the graph.

    A node is kept if the chunks that use it span at least half of all chunks (`shared_keys`)
    and its result is small (`kept_bytes`) and can be pickled. Results that are too large are
    dropped, and then their inputs are candidates in the same way. All other nodes stay in the
    sub-graphs and are computed by each batch that needs them.
    """
    left: set[Key] = set()
    while keys := shared_keys(graph, chunks, left):
        results = compute(graph, keys, kept_bytes(nbytes) // len(keys), get, retries)
        small = {key: DataNode(key, value) for key, (fits, value) in results.items() if fits}
        graph = replace(graph, nodes={**graph.nodes, **small})
        left.update(results.keys() - small.keys())
    return graph


def kept_bytes(nbytes: float) -> int:
    """Return how many bytes of results may be kept for an array of `nbytes` (or nan)."""
    if nbytes != nbytes:
        return LEAST_KEPT_BYTES
    return int(min(max(nbytes * SMALL_FRACTION, LEAST_KEPT_BYTES), MOST_KEPT_BYTES))


def shared_keys(graph: Graph, chunks: Sequence[tuple[Key, ...]], left: set[Key]) -> list[Key]:
    """Return the keys of computed nodes, none in `left`, that chunks far from each other use.

    The nodes are visited from the outputs to the inputs. A node used by chunks from the i-th to the
    j-th is shared if j > i and j - i + 1 is at least half of all chunks; its inputs do not count
    as used by these chunks because of it. Nodes that neighbours share, as after rechunking or
    overlapping, span less: they have the size of data, and are computed twice only at a border of
    batches.
    """
    nodes = graph.nodes
    waiting = Counter(key for node in nodes.values() for key in node.dependencies)
    spans: dict[Key, Span] = {}
    for index, keys in enumerate(chunks):
        for key in keys:
            _widen(spans, key, (index, index))
    shared = []
    ready = [key for key in nodes if not waiting[key]]
    while ready:
        key = ready.pop()
        span = spans.pop(key, None)
        if span is not None and key not in left and _is_wide(span, len(chunks)):
            if not _is_data(graph, key):
                shared.append(key)
            span = None
        for needed in nodes[key].dependencies:
            if span is not None:
                _widen(spans, needed, span)
            waiting[needed] -= 1
            if not waiting[needed] and needed in nodes:
                ready.append(needed)
    return shared


def _widen(spans: dict[Key, Span], key: Key, span: Span) -> None:
    first, last = spans.get(key, span)
    spans[key] = min(first, span[0]), max(last, span[1])


def _is_wide(span: Span, chunks: int) -> bool:
    length = span[1] - span[0] + 1
    return length > 1 and 2 * length >= chunks


def _is_data(graph: Graph, key: Key) -> bool:
    """Return whether a key is that of data, or an alias of data."""
    while isinstance(node := graph.nodes.get(key), Alias):
        key = node.target
    return node is None or isinstance(node, DataNode)


def compute(
    graph: Graph, keys: Sequence[Key], limit: int, get: Get | None = None, retries: int = 0
) -> dict[Key, tuple[bool, Any]]:
    """Return whether the value of each key has at most `limit` bytes, and the value or None.

    Without `get`, the client of the futures computes, or else Dask's current scheduler.
    """
    culled = graph.cull(keys)
    # New names every time: a cluster returns the old result of a name that it knows.
    run = f"small-{uuid.uuid4().hex}"
    asked = [(run, index) for index in range(len(keys))]
    tasks = {
        name: Task(name, if_small, TaskRef(key), limit)
        for name, key in zip(asked, keys, strict=True)
    }
    if get is None and culled.futures:
        get = next(iter(culled.futures.values())).client.get
    elif get is None:
        ambient: Any = dask.base.get_scheduler  # dask leaves it untyped
        get = ambient() or dask.threaded.get
    nodes = {
        key: with_care(node, retries, culled.metadata_files) for key, node in culled.nodes.items()
    }
    results = get({**nodes, **culled.futures, **tasks}, asked)
    return dict(zip(keys, results, strict=True))


def with_care(node: GraphNode, retries: int, metadata_files: tuple[str, ...]) -> GraphNode:
    """Return a node that is called with retries and one thread of BLAS.

    With more threads the bits of a product would depend on the process that computes it.
    """
    if type(node) is not Task:
        return node
    care = retries, metadata_files
    return Task(node.key, _call_with_care, care, node.func, *node.args, **node.kwargs)


def _call_with_care(
    care: tuple[int, tuple[str, ...]], call: Callable[..., Any], *args: Any, **options: Any
) -> Any:
    retries, metadata_files = care

    def read() -> Any:
        check_metadata_files(metadata_files)
        return call(*args, **options)

    with one_blas_thread():
        return retried(read, retries)


def if_small(value: Any, limit: int) -> tuple[bool, Any]:
    """Return (True, value) if the value pickles into about `limit` bytes, else (False, None)."""
    nbytes = getattr(value, "nbytes", 0)
    if isinstance(nbytes, int) and nbytes > limit:
        return False, None
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return True, value
    try:
        return (True, value) if len(pickle.dumps(value)) <= limit else (False, None)
    except Exception:
        # It cannot be pickled, such as an open file: every batch must make its own.
        return False, None
