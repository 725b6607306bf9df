"""Limit of BLAS to one thread in tasks, which run on threads themselves."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import scipy.linalg  # noqa: F401  (its BLAS must be loaded before the libraries are listed)
from threadpoolctl import OpenBLASController, ThreadpoolController

Result = TypeVar("Result")

_lock = threading.Lock()
_inside = 0
_limit: Any = None


@lru_cache(maxsize=1)
def _owner() -> ThreadPoolExecutor:
    """Return the thread that sets the limit and restores it.

    From version 3.8 threadpoolctl lets only the thread that set a limit change it: what another one
    restored would be ignored, and the process kept one thread.
    """
    return ThreadPoolExecutor(1, "daskgmm-blas")


os.register_at_fork(after_in_child=_owner.cache_clear)  # a child has no threads but its own


def _in_owner(call: Callable[..., Result], *arguments: Any) -> Result | None:
    """Return what a call in that thread returns; None while the interpreter ends."""
    try:
        future = _owner().submit(call, *arguments)
    except RuntimeError:
        return None
    return future.result()


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    # It lists the loaded libraries, which takes milliseconds: once a process, not once a fit.
    return ThreadpoolController()


def _set() -> Any:
    # As in earlier versions, whatever limit the caller's own thread is in, which is restored.
    release = getattr(OpenBLASController, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)
    limit = _controller().limit(limits=1, user_api="blas")
    return limit.__enter__()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit the BLAS of this process to one thread while any caller is in the context.

    The limit is one setting of the process: the first caller to enter sets it and the last one to
    leave restores it, as callers that each set and restore it would undo each other.
    """
    global _inside, _limit
    with _lock:
        if _inside == 0:
            _limit = _in_owner(_set)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _limit is not None:
                _in_owner(_limit.__exit__, None, None, None)
