"""Nodes of a graph that any worker can take, whatever is installed there.

A worker unpickles a task as it reads the message that brings it, and ends if it cannot, with all
else that runs there; results of others it tries to fetch for ever (distributed 2026.8). So what
travels names the standard library, Dask and NumPy alone; ours is packed in bytes and buffers, which
the task itself unpacks: a worker that lacks it fails the task, and nothing else. The scheduler
needs none of it either.
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
"""A pickled value, and the memory of its arrays, which is not copied."""


def pack(value: Any) -> Packed:
    """Return a value as bytes and buffers."""
    buffers: list[pickle.PickleBuffer] = []
    head = dumps(value, buffer_callback=buffers.append)
    return head, [np.asarray(buffer.raw()) for buffer in buffers]


def unpack(packed: Packed) -> Any:
    """Return the value; its arrays are views of the buffers."""
    head, buffers = packed
    return pickle.loads(head, buffers=buffers)


def ours(function: Callable[..., Any]) -> Task:
    """Return what loads a function of ours where a task runs; many nodes may share it."""
    return Task(None, pickle.loads, dumps(partial(_called, __version__, function)))


def call_node(key: Any, loaded: Task, *arguments: Any) -> Task:
    """Return a node that calls a function of ours.

    Parameters
    ----------
    loaded : Task
        What `ours` returns.
    arguments : TaskRef, bytes, int
        Whatever every worker can unpickle.
    """
    return Task(key, operator.call, loaded, *arguments)


def packed_node(key: Any, value: Any) -> Task:
    """Return a node whose result is a value, packed."""
    return Task(key, tuple, pack(value))


def bytes_node(key: Any, value: bytes) -> Task:
    """Return a node whose result are these bytes."""
    return Task(key, bytes, value)


def packed_graph(graph: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a Dask graph that computes the same and that every worker can take."""
    data = {key: node.value for key in graph if (node := _foreign(graph, key)) is not None}
    return {key: _packed(key, node, data) for key, node in graph.items() if key not in data}


def _foreign(graph: Mapping[Any, Any], key: Any) -> DataNode | None:
    """Return the data that a key is or is another name of, unless it is an array of NumPy."""
    node = graph.get(key)
    while isinstance(node, Alias):
        node = graph.get(node.target)
    return node if isinstance(node, DataNode) and not isinstance(node.value, np.ndarray) else None


def _packed(key: Any, node: Any, data: Mapping[Any, Any]) -> Any:
    if not isinstance(node, Task):
        return node
    held = {needed: data[needed] for needed in node.dependencies if needed in data}
    others = [needed for needed in node.dependencies if needed not in data]
    return call_node(key, ours(_computed), dumps((node, held, others)), *map(TaskRef, others))


def _computed(packed: bytes, *values: Any) -> Any:
    node, held, others = pickle.loads(packed)
    return node({**held, **dict(zip(others, values, strict=True))})


def _called(version: str, function: Callable[..., Any], *arguments: Any) -> Any:
    if version != __version__:
        # Whoever waits for the task asks the workers then, and says which it is.
        raise ImportError(f"daskgmm {version} sent a task to daskgmm {__version__}")
    return function(*arguments)
