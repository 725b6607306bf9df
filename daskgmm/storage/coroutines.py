"""Coroutines that file systems leave where one of many operations fails."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any


def close_unbegun(error: BaseException) -> None:
    """Close coroutines that the frames of an error hold and that nobody will await.

    fsspec makes one for each file before the first is begun. Python warns of each that is
    collected without having been awaited, long after the error and beside whatever runs then.
    """
    traceback = error.__traceback__
    while traceback is not None:
        for value in list(traceback.tb_frame.f_locals.values()):
            for each in _several(value):
                if inspect.iscoroutine(each) and _is_unbegun(each):
                    each.close()
        traceback = traceback.tb_next


def _several(value: Any) -> Iterable[Any]:
    return value if isinstance(value, (list, tuple)) else (value,)


def _is_unbegun(coroutine: Any) -> bool:
    return inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED
