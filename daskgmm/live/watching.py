"""What the events of a fit or sweep tell by now, and how it is shown."""

from __future__ import annotations

import math
import time

from daskgmm.counting import counted
from daskgmm.em.events import (
    BatchDone,
    Ended,
    Event,
    FitStarted,
    Iterated,
    PassEnded,
    SweepIterated,
)
from daskgmm.em.objective import objective_name
from daskgmm.markup.card import card, facts, with_bar
from daskgmm.markup.curve import curve
from daskgmm.markup.text import Html
from daskgmm.progress import LOWEST_BIC, Forecast, best_of, duration, next_title, told_bic

RUNNING, DONE = "running", "done"

DRAWN = 160
"""Points of a curve, at most: of more passes the last ones of equal stretches."""


class Watching:
    """A listener that keeps what is shown: the step, the batches, the likelihood, the speed."""

    def __init__(self, title: str, forecast: Forecast | None = None) -> None:
        self.state = RUNNING
        self._title, self._forecast = title, forecast
        self._began = time.perf_counter()
        self._step, self._left, self._end = "survey", "", ""
        self._done = self._total = 0
        self._rows, self._seconds, self._speed = 0, 0.0, math.nan
        self._first, self._objective = 1, objective_name(None)
        self._values: list[float] = []
        self._waiting = 0.0
        self._sweep: SweepIterated | None = None

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        match event:
            case BatchDone(done=done, total=total):
                self._done, self._total = done, total
                return
            case FitStarted():
                self._first = 1 + (event.resumed or 0)
                self._objective = objective_name(event.prior, event.noise)
            case PassEnded():
                self._speed = event.rows / max(event.seconds, 1e-9)
                self._waiting = event.waiting / max(event.seconds, 1e-9)
            case Iterated():
                if event.iteration == 1:  # of another start
                    self._values = []
                self._first = event.iteration + 1
                self._values.append(event.lower_bound)
                self._left = "" if self._forecast is None else self._forecast.add(event)
            case SweepIterated():
                if event.iteration == 1:  # of another class
                    self._values = []
                self._sweep = event
                self._values.append(event.bic)
            case Ended():
                self._first, self._left = 1, ""
                self._end = "converged" if event.converged else "not converged"
        title = next_title(event, self._first)
        if title:
            self._step, self._done, self._total = title, 0, 0

    def ended(self, state: str = DONE) -> None:
        """Take the end in: done, stopped or failed."""
        self.state, self._left = state, ""
        how = self._end if state == DONE and self._end else state
        self._end = f"{how} after {duration(time.perf_counter() - self._began)}"

    def line(self) -> str:
        """Return it in a line of text."""
        return "  ".join(part for part in (f"{self._title}:", *self._words()) if part)

    def html(self) -> str:
        """Return it as HTML."""
        known = [("step", self._progress())] if self.state == RUNNING else [("end", self._end)]
        if self._values:
            known += self._latest()
        if math.isfinite(self._speed):
            waits = f", {self._waiting:.0%} of the time waiting for rows"
            known.append(("speed", f"{self._speed:.2e} rows/s{waits}"))
        if self._left:
            known.append(("time", self._left))
        return card(self._title, facts(known), self._curve())

    def _words(self) -> list[str]:
        if self.state != RUNNING:
            return [self._end, *([self._value()] if self._values else [])]
        batches = f"{self._done} of {self._total} batches" if self._total else ""
        speed = f"{self._speed:.1e} rows/s" if math.isfinite(self._speed) else ""
        return [self._step, batches, self._value() if self._values else "", speed, self._left]

    def _progress(self) -> str:
        if not self._total:
            return self._step
        text = f"{self._step}: {self._done} of {counted(self._total, 'batch', 'es')}"
        return with_bar(text, self._done / self._total)

    def _latest(self) -> list[tuple[str, str]]:
        if self._sweep is not None:
            passes = counted(self._passes, "pass", "es")
            found = best_of(self._sweep)
            best = [(LOWEST_BIC, found)] if found else []
            return [("models", f"{self._sweep.left} left after {passes}"), *best]
        after = counted(self._passes, "iteration")
        return [(self._objective, f"{self._values[-1]:.6f} nats per row after {after}")]

    @property
    def _passes(self) -> int:
        return len(self._values)

    def _value(self) -> str:
        if self._sweep is not None:
            left, best = f"{self._sweep.left} models left", best_of(self._sweep)
            return f"{left}  {LOWEST_BIC} {best}" if best else left
        return f"{self._objective} {self._values[-1]:.5f}"

    def _curve(self) -> Html:
        every = -(-len(self._values) // DRAWN)
        drawn = self._values[::-1][::every][::-1] if every > 1 else self._values
        of = LOWEST_BIC if self._sweep is not None else f"{self._objective}, nats per row"
        known = [value for value in drawn if math.isfinite(value)]
        told = "{:.7g}".format if self._sweep is None else told_bic
        ends = (told(min(known)), told(max(known))) if known else ("", "")
        return curve(drawn, f"{of}, against passes", ends=ends)
