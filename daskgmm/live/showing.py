"""Where a running fit is shown, if anywhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import dask

from daskgmm.em.events import BatchDone, Event, Listener
from daskgmm.errors import SettingError
from daskgmm.live.watching import DONE, Watching
from daskgmm.loaded import loaded
from daskgmm.progress import Forecast, show_lines
from daskgmm.user_warnings import warn_user

PROGRESS = "daskgmm.progress"
"""Name in Dask's configuration of the setting for all fits."""

AUTO = "auto"
"""Its default: shown in interactive sessions, where a fit takes longer than `PATIENCE`."""

PATIENCE = 1.0
"""Seconds after which a fit is shown that nobody asked to see."""

Place = Callable[[], AbstractContextManager[Listener]]


def asked(progress: bool | None) -> bool | str:
    """Return whether to show a fit: what it was told, or else what Dask's configuration says.

    Raises
    ------
    SettingError
        If either is none of its values.
    """
    if progress is not None:
        if not isinstance(progress, bool):
            raise SettingError(f"progress is {progress!r}; give True, False, or None.")
        return progress
    configured = dask.config.get(PROGRESS, AUTO)
    if configured != AUTO and not isinstance(configured, bool):
        raise SettingError(
            f"{PROGRESS} of Dask's configuration is {configured!r}; set it to True, False or "
            f"{AUTO!r}."
        )
    return bool(configured) if configured != AUTO else AUTO


@contextmanager
def showing(
    progress: bool | str, title: str, forecast: Forecast | None = None
) -> Iterator[Listener | None]:
    """Show what is fitted while the context lasts; yield the listener, None if nothing is shown.

    `progress` is what `asked` returns. On its own it shows a fit that a person waits for: in the
    main thread of a notebook or a Python prompt.
    """
    if progress is False or (progress == AUTO and not _is_interactive()):
        yield None
        return
    shown = Shown(_place(title, forecast), 0.0 if progress is True else PATIENCE)
    with shown:
        yield shown


def _is_interactive() -> bool:
    if threading.current_thread() is not threading.main_thread():
        return False
    return notebook_shell() is not None or (hasattr(sys, "ps1") and sys.stderr.isatty())


def _place(title: str, forecast: Forecast | None) -> Place:
    if notebook_shell() is None:
        return lambda: show_lines(forecast)
    watching = Watching(title, forecast)  # now, as its clock is that of the fit
    return lambda: _in_notebook(NotebookDisplay(watching))


@contextmanager
def _in_notebook(display: NotebookDisplay) -> Iterator[Listener]:
    try:
        yield display
    except KeyboardInterrupt:
        display.ended("stopped")
        raise
    except BaseException:
        display.ended("failed")
        raise
    display.ended(DONE)


class Shown:
    """A listener that shows a fit once it takes long, and never ends it by a mistake of its own."""

    def __init__(self, place: Place, patience: float) -> None:
        self._place, self._due = place, time.monotonic() + patience
        self._early: list[Event] = []
        self._open, self._failed = ExitStack(), False
        self._listener: Listener | None = None

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if not self._failed:
            try:
                self._show(event)
            except Exception as error:
                self._give_up(error)

    def _show(self, event: Event) -> None:
        if self._listener is None:
            if time.monotonic() < self._due:
                if not isinstance(event, BatchDone):
                    self._early.append(event)
                return
            self._listener = self._open.enter_context(self._place())
            for each in self._early:
                self._listener(each)
            self._early.clear()
        self._listener(event)

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *raised: Any) -> None:
        try:
            self._open.__exit__(*raised)
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            warn_user(
                f"Progress cannot be shown ({type(error).__name__}: {error}). The fit continues. "
                "progress=False shows nothing."
            )


UPDATE_SECONDS = 0.25
"""Seconds between two updates, at least."""


def notebook_shell() -> Any:
    """Return IPython's shell if this is a notebook's kernel, else None; imports nothing."""
    ipython = loaded("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


class NotebookDisplay:
    """A listener that shows a fit in the cell that runs it, through IPython alone."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching
        self._handle: Any = None
        self._updated = -UPDATE_SECONDS

    def __call__(self, event: Event) -> None:
        """Take in an event, and show what it changed, but not too often."""
        self._watching(event)
        now = time.monotonic()
        if now - self._updated >= UPDATE_SECONDS:
            self.show()
            self._updated = now

    def ended(self, state: str) -> None:
        """Show the end."""
        self._watching.ended(state)
        self.show()

    def show(self) -> None:
        """Show what is known by now, in the place of what was shown before."""
        what = {"text/plain": self._watching.line(), "text/html": str(self._watching.html())}
        if self._handle is None:
            display = sys.modules["IPython"].display.display
            self._handle = display(what, raw=True, display_id=True)
        else:
            self._handle.update(what, raw=True)
