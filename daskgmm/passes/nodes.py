"""Nodes of a graph that any worker can take, whatever is installed there.

A worker unpickles a task as it reads the message that brings it, and ends if it cannot, with all
else that runs there (distributed 2026.8). So what such a message names is of the standard library
and of Dask alone; ours travels as bytes, which the task itself unpickles: a worker that lacks it
fails the task, and nothing else. The scheduler needs none of it either.
"""

from __future__ import annotations

import operator
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from dask._task_spec import DataNode, Task, TaskRef
from distributed.protocol.pickle import dumps

from daskgmm.version import __version__


def call_node(key: Any, function: Callable[..., Any], *arguments: Any) -> Task:
    """Return a node that calls a function of ours.

    Parameters
    ----------
    arguments : TaskRef, bytes, int
        Whatever every worker can unpickle.
    """
    packed = dumps(partial(_called, __version__, function))
    return Task(key, operator.call, Task(None, pickle.loads, packed), *arguments)


def value_node(key: Any, value: Any) -> Task:
    """Return a node whose result is a value."""
    return Task(key, pickle.loads, dumps(value))


def bytes_node(key: Any, value: bytes) -> Task:
    """Return a node whose result are these bytes."""
    return Task(key, bytes, value)


def packed_node(key: Any, node: Any) -> Any:
    """Return a node of a Dask graph that does the same and that every worker can take."""
    if isinstance(node, DataNode):
        return node if isinstance(node.value, np.ndarray) else value_node(key, node.value)
    if not isinstance(node, Task):
        return node
    needed = list(node.dependencies)
    return call_node(key, _computed, dumps((node, needed)), *map(TaskRef, needed))


def _computed(packed: bytes, *values: Any) -> Any:
    node, needed = pickle.loads(packed)
    return node(dict(zip(needed, values, strict=True)))


def _called(version: str, function: Callable[..., Any], *arguments: Any) -> Any:
    if version != __version__:
        # Whoever waits for the task asks the workers then, and says which it is.
        raise ImportError(f"daskgmm {version} sent a task to daskgmm {__version__}")
    return function(*arguments)
