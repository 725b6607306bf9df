"""Nodes of a graph that workers and schedulers without daskgmm can unpickle.

A worker unpickles a task with the message that brings it. If it cannot, it ends with all that runs
there, and it fetches results that it cannot unpickle for ever (distributed 2026.8). So nodes name
objects of the standard library, Dask and NumPy only. Those of daskgmm are packed in bytes and
buffers, which the task itself unpacks: on a worker without daskgmm the task fails, and only that.
"""

from __future__ import annotations

import operator
import pickle
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from dask._task_spec import Alias, DataNode, Task, TaskRef
from distributed.protocol.pickle import dumps
from numpy.typing import NDArray

from daskgmm.version import __version__

Packed: TypeAlias = tuple[bytes, list[NDArray[np.uint8]]]
"""A pickled value, and the buffers of its arrays, which are not copied."""


def pack(value: Any) -> Packed:
    """Pickle a value as bytes and buffers."""
    buffers: list[pickle.PickleBuffer] = []
    head = dumps(value, buffer_callback=buffers.append)
    return head, [np.asarray(buffer.raw()) for buffer in buffers]


def unpack(packed: Packed) -> Any:
    """Return the value; its arrays are views of the buffers."""
    head, buffers = packed
    return pickle.loads(head, buffers=buffers)


def loader(function: Callable[..., Any]) -> Task:
    """Return a task that loads a function of daskgmm on a worker; many nodes may share it."""
    return Task(None, pickle.loads, dumps(partial(_call, __version__, function)))


def call_node(key: Any, loaded: Task, *arguments: Any) -> Task:
    """Return a node that calls what `loader` loads; every worker can unpickle the arguments."""
    return Task(key, operator.call, loaded, *arguments)


def packed_node(key: Any, value: Any) -> Task:
    """Return a node whose result is a packed value."""
    return Task(key, tuple, pack(value))


def bytes_node(key: Any, value: bytes) -> Task:
    """Return a node whose result is `value`."""
    return Task(key, bytes, value)


def packed_graph(graph: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a graph with the results of a Dask graph that every worker can unpickle."""
    data = {key: node.value for key in graph if (node := _data_node(graph, key)) is not None}
    return {key: _packed(key, node, data) for key, node in graph.items() if key not in data}


def _data_node(graph: Mapping[Any, Any], key: Any) -> DataNode | None:
    """Return the data node of a key, through aliases; None if it holds a NumPy array."""
    node = graph.get(key)
    while isinstance(node, Alias):
        node = graph.get(node.target)
    return node if isinstance(node, DataNode) and not isinstance(node.value, np.ndarray) else None


def _packed(key: Any, node: Any, data: Mapping[Any, Any]) -> Any:
    if not isinstance(node, Task):
        return node
    values = {needed: data[needed] for needed in node.dependencies if needed in data}
    others = [needed for needed in node.dependencies if needed not in data]
    return call_node(key, loader(_compute), dumps((node, values, others)), *map(TaskRef, others))


def _compute(packed: bytes, *results: Any) -> Any:
    node, values, others = pickle.loads(packed)
    return node({**values, **dict(zip(others, results, strict=True))})


def _call(version: str, function: Callable[..., Any], *arguments: Any) -> Any:
    if version != __version__:
        # `worker_check.explained` turns this into an error that names the workers.
        raise ImportError(f"daskgmm {version} sent a task to daskgmm {__version__}")
    return function(*arguments)
