"""A display in the output of a notebook's cell, updated in its place."""

from __future__ import annotations

import sys
import time
from typing import Any

from daskgmm.em.events import Event
from daskgmm.live.watching import Watching
from daskgmm.loaded import loaded

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
