"""Ctrl-C and SIGTERM: at once while modules are imported, and a line on what is left."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from daskgmm.cli.exit_codes import INTERRUPTED
from daskgmm.errors import SourceError
from daskgmm.storage.address import Address

NOTHING_WRITTEN = "Interrupted; nothing was written."


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM, which ends jobs and pods, do what Ctrl-C does; process 1 would not see it."""
    with _handled(signal.default_int_handler, signal.SIGTERM):
        yield


@contextmanager
def at_once() -> Iterator[None]:
    """Let both end the process while modules are imported, which may swallow the exception."""

    def end(number: int, frame: Any) -> None:
        with suppress(OSError):  # of a standard error that is closed
            os.write(2, f"{NOTHING_WRITTEN}\n".encode())
        os._exit(INTERRUPTED)  # what signals do by default they do not do to process 1

    with _handled(end, signal.SIGINT, signal.SIGTERM):
        yield


def end_at_once() -> None:
    """Let both end the process from now on, as there is nothing left to do.

    While Python joins its threads at exit, a KeyboardInterrupt is shown as a traceback, and may
    leave a thread that is waited for for ever.
    """

    def end(number: int, frame: Any) -> None:
        os._exit(INTERRUPTED)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)


@contextmanager
def _handled(handler: Any, *signals: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, handler) for each in signals}
    try:
        yield
    finally:
        for each, handled in before.items():
            signal.signal(each, handled)


@contextmanager
def interruptible(checkpoint: Address | None, what: str) -> Iterator[None]:
    """Say what an interruption leaves of a fit, which is called `what`."""
    try:
        yield
    except KeyboardInterrupt as error:
        if checkpoint is None:
            raise KeyboardInterrupt(
                f"no model was written. With --checkpoint FILE, the same command resumes a {what} "
                "that was interrupted"
            ) from error
        from daskgmm.models.classifying.own_mixtures import checkpoint_of

        of_class = checkpoint_of(checkpoint, 0)
        if _is_there(checkpoint):
            left = f"{checkpoint} holds the {what} so far"
        elif of_class is not None and _is_there(of_class):
            left = f"{of_class} and so on hold the fits of the classes so far"
        else:
            raise KeyboardInterrupt(
                f"no model was written, and no checkpoint: {checkpoint} is first written after the "
                f"starts of the {what} and one iteration. The same command begins anew"
            ) from error
        raise KeyboardInterrupt(f"{left}. The same command resumes from there") from error


@contextmanager
def going_on(out: Address) -> Iterator[None]:
    """Say what predictions that were interrupted, or failed, leave behind."""
    from daskgmm.models.writers.journal import left_behind

    def kept() -> str | None:
        try:
            place = left_behind(out)
        except Exception:  # of whatever kind the file system's library raises
            return None
        if place is None:
            return None
        return f"{place} holds what is written so far. The same command resumes from there"

    try:
        yield
    except KeyboardInterrupt as error:
        said = kept()
        if said is None:
            raise
        raise KeyboardInterrupt(said) from error
    except OSError as error:
        # An output that exists is refused before anything is read.
        said = None if isinstance(error, FileExistsError) else kept()
        if said is None:
            raise
        raise SourceError(f"{error}\n{said}.") from error


def _is_there(checkpoint: Address) -> bool:
    try:
        return checkpoint.read_head(1) is not None
    except Exception:  # of whatever kind the file system's library raises
        return False
