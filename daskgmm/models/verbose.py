"""The events of a fit as lines of text, as scikit-learn's `verbose` prints them."""

from __future__ import annotations

import time

from daskgmm.em.events import Ended, Event, Iterated, Started


class Printer:
    """Prints starts, every `interval`-th iteration and ends, above 1 with seconds and changes."""

    def __init__(self, verbose: int, interval: int) -> None:
        self._detailed = verbose > 1
        self._interval = interval
        self._began = self._last = time.perf_counter()

    def __call__(self, event: Event) -> None:
        """Print one event."""
        if isinstance(event, Started):
            print(f"Initialization {event.initialisation}")
            self._began = self._last = time.perf_counter()
        elif isinstance(event, Iterated) and event.iteration % self._interval == 0:
            self._iteration(event)
        elif isinstance(event, Ended):
            self._end(event)

    def _iteration(self, event: Iterated) -> None:
        if not self._detailed:
            print(f"  Iteration {event.iteration}")
            return
        now = time.perf_counter()
        print(
            f"  Iteration {event.iteration}\t time lapse {now - self._last:.5f}s\t "
            f"ll change {event.change:.5f}"
        )
        self._last = now

    def _end(self, event: Ended) -> None:
        state = "converged" if event.converged else "did not converge"
        if not self._detailed:
            print(f"Initialization {state}.")
            return
        seconds = time.perf_counter() - self._began
        print(
            f"Initialization {state}. time lapse {seconds:.5f}s\t lower bound "
            f"{event.lower_bound:.5f}."
        )
