"""The events of a fit as lines of text, as scikit-learn's `verbose` prints them."""

from __future__ import annotations

import time

from daskgmm.em.events import Ended, Event, Iterated, Started
from daskgmm.em.objective import objective_name


class Printer:
    """Prints starts, every `interval`-th iteration and ends, above 1 with seconds and changes."""

    def __init__(self, verbose: int, interval: int, prior: str | None = None) -> None:
        self._detailed = verbose > 1
        self._objective = "ll" if prior is None else objective_name(prior)
        self._interval = interval
        self._began = self._last = time.perf_counter()

    def __call__(self, event: Event) -> None:
        """Print one event."""
        now = time.perf_counter()
        if isinstance(event, Started):
            print(f"Initialization {event.initialisation}")
            self._began = self._last = now
        elif isinstance(event, Iterated) and event.iteration % self._interval == 0:
            changed = f"{self._objective} change {event.change:.5f}"
            told = f"\t time lapse {now - self._last:.5f}s\t {changed}"
            print(f"  Iteration {event.iteration}{told if self._detailed else ''}")
            self._last = now
        elif isinstance(event, Ended):
            state = "converged" if event.converged else "did not converge"
            told = f" time lapse {now - self._began:.5f}s\t lower bound {event.lower_bound:.5f}."
            print(f"Initialization {state}.{told if self._detailed else ''}")
