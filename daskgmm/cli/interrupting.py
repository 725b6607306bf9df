"""Ctrl-C: at once while modules are imported, and with a word on what is left behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from daskgmm.files import read_bytes


@contextmanager
def at_once() -> Iterator[None]:
    """Let Ctrl-C end the process while modules are imported, which may swallow the exception."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def interruptible(
    checkpoint: str | None, storage_options: dict[str, Any] | None = None
) -> Iterator[None]:
    """Say what an interruption leaves behind."""
    try:
        yield
    except KeyboardInterrupt as error:
        if checkpoint is None or not _is_there(checkpoint, storage_options):
            raise
        raise KeyboardInterrupt(
            f"{checkpoint} holds the fit so far. The same command goes on from there"
        ) from error


def _is_there(checkpoint: str, storage_options: dict[str, Any] | None) -> bool:
    try:
        return read_bytes(checkpoint, storage_options) is not None
    except Exception:  # of whatever kind the file system's library raises
        return False
