"""Limit of BLAS to one thread in tasks, which run on threads themselves."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import scipy.linalg  # noqa: F401  (its BLAS must be loaded before the libraries are listed)
from threadpoolctl import OpenBLASController, ThreadpoolController


@dataclass
class _State:
    """Callers in the context, and the limit that the first one set; one a process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    inside: int = 0
    limit: Any = None


_state = _State()


@lru_cache(maxsize=1)
def _owner() -> ThreadPoolExecutor:
    """Return the thread that sets the limit and restores it.

    From version 3.8 threadpoolctl lets only the thread that set a limit change it: what another one
    restored would be ignored, and the process kept one thread.
    """
    return ThreadPoolExecutor(1, "daskgmm-blas")


def _begin_in_child() -> None:
    """Begin anew in a forked process: no thread of its parent is there to leave, or to unlock.

    A limit that its parent was in is restored by the first of its own callers to leave.
    """
    global _state
    _owner.cache_clear()
    _state = _State(limit=_state.limit)


os.register_at_fork(after_in_child=_begin_in_child)


def _in_owner(call: Callable[[_State], None], state: _State) -> None:
    """Run a call in that thread; nothing while the interpreter ends."""
    try:
        future = _owner().submit(call, state)
    except RuntimeError:
        return
    future.result()


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    # It lists the loaded libraries, which takes milliseconds: once a process, not once a fit.
    return ThreadpoolController()


def _set(state: _State) -> None:
    if state.limit is not None:  # the caller that it was for was interrupted, or forked
        return
    # As in earlier versions, whatever limit the caller's own thread is in, which is restored.
    release = getattr(OpenBLASController, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)
    state.limit = _controller().limit(limits=1, user_api="blas").__enter__()


def _restore(state: _State) -> None:
    limit, state.limit = state.limit, None
    if limit is not None:
        limit.__exit__(None, None, None)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit the BLAS of this process to one thread while any caller is in the context.

    The limit is one setting of the process: the first caller to enter sets it and the last one to
    leave restores it, as callers that each set and restore it would undo each other.
    """
    state = _state
    with state.lock:
        if state.inside == 0:
            _in_owner(_set, state)
        state.inside += 1
    try:
        yield
    finally:
        if state is _state:  # else the caller was forked, and the lock may be so for ever
            with state.lock:
                state.inside -= 1
                if state.inside == 0:
                    _in_owner(_restore, state)
