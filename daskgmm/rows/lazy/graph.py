"""The task graph of a Dask array: optimised once, and cut into sub-graphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from dask._task_spec import DataNode, GraphNode, Task, convert_legacy_graph
from dask.blockwise import Blockwise
from dask.core import flatten
from dask.highlevelgraph import MaterializedLayer
from dask.utils import ensure_dict

from daskgmm.errors import SourceError
from daskgmm.rows.zarr_nodes.presence import metadata_files

Key: TypeAlias = Any
"""A dask key: a string, or a tuple that begins with one."""

Nodes: TypeAlias = dict[Key, GraphNode]


@dataclass(frozen=True, slots=True)
class Graph:
    """The nodes of a graph by their keys, and the futures that they depend on.

    Attributes
    ----------
    nodes : dict of GraphNode
    futures : dict of distributed.Future
        Results on a cluster by key, as of a persisted array.
    metadata_files : tuple of str
        Local files that exist in each process that can compute the graph; see `presence`.
    """

    nodes: Nodes
    futures: dict[Key, Any]
    metadata_files: tuple[str, ...] = ()

    def cull(self, keys: Iterable[Key]) -> Graph:
        """Return the part of the graph that `keys` need, in a time proportional to its size."""
        nodes: Nodes = {}
        futures: dict[Key, Any] = {}
        stack = list(keys)
        while stack:
            key = stack.pop()
            if key in nodes or key in futures:
                continue
            if key in self.nodes:
                nodes[key] = self.nodes[key]
                stack.extend(nodes[key].dependencies)
            else:
                futures[key] = self.futures[key]
        return replace(self, nodes=nodes, futures=futures)


def optimised(x: Any) -> Graph:
    """Return the graph of a dask array as dask would compute it."""
    keys = x.__dask_keys__()
    graph = ensure_dict(x.__dask_optimize__(x.__dask_graph__(), keys))
    nodes: Nodes = convert_legacy_graph(graph, all_keys=set(graph))
    asked = set(flatten(keys))
    outside = asked.union(*(node.dependencies for node in nodes.values())) - nodes.keys()
    if not outside:
        return Graph(nodes, {}, metadata_files(x))
    # Optimisation keeps only the names of futures: the graph before it holds them.
    futures = {f.key: f for f in filter(is_future, leaves(ensure_dict(x.__dask_graph__())))}
    if missing := outside - futures.keys():
        raise SourceError(
            f"The graph of the dask array needs {sorted(map(str, missing))[0]}, which it does not "
            "hold; build the array anew from its source."
        )
    return Graph(nodes, {key: futures[key] for key in outside}, metadata_files(x))


def is_future(value: Any) -> bool:
    """Return whether `value` is a future of a cluster, without importing distributed."""
    return hasattr(value, "key") and callable(getattr(value, "result", None))


def persisted_in(x: Any) -> Iterator[Any]:
    """Yield a future of each part of a lazy array or frame that was persisted.

    Layers are not expanded into tasks for that: a persisted one is a mapping of futures.
    """
    for layer in _layers(x):
        first = next(iter(layer.values()), None)
        if is_future(first):
            yield first


def _layers(x: Any) -> Iterator[Mapping[Key, Any]]:
    if hasattr(x, "expr"):
        layers = (getattr(step, "layer", None) for step in x.expr.walk())
        yield from (layer for layer in layers if isinstance(layer, Mapping))
        return
    for layer in getattr(x.__dask_graph__(), "layers", {}).values():
        if isinstance(layer, MaterializedLayer):
            yield layer.mapping


def held_by_collection(x: Any) -> list[Any]:
    """Return the objects that a lazy array, frame or other collection is computed from."""
    if hasattr(type(x), "expr"):  # of frames; a Delayed has every attribute
        return [part.operands for part in x.expr.walk()]
    graph = x.__dask_graph__()
    return [_of_layer(layer) for layer in getattr(graph, "layers", {"": graph}).values()]


def _of_layer(layer: Any) -> Any:
    """Return the objects in a layer of a graph; a blockwise one is not expanded into tasks."""
    if not isinstance(layer, Blockwise):
        return ensure_dict(layer)
    given = [value for value, axes in layer.indices if axes is None]
    return [given, layer.task, layer.io_deps]


def nbytes_in(graph: Graph) -> int:
    """Return the bytes of the arrays in a graph, as after `from_array`."""
    arrays = {id(value): value for value in leaves(graph.nodes) if isinstance(value, np.ndarray)}
    return sum(array.nbytes for array in arrays.values())


def leaves(value: Any) -> Iterator[Any]:
    """Yield the objects in nested tasks and containers."""
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, Task):
            stack.extend((value.args, value.kwargs))
        elif isinstance(value, DataNode):
            stack.append(value.value)
        elif isinstance(value, Mapping):
            stack.extend(value.values())
        elif isinstance(value, (list, tuple, set, frozenset)):
            stack.extend(value)
        else:
            yield value
