"""What a terminal, or a log file, shows while a fit or a pass runs; on standard error."""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from daskgmm.em.events import (
    BatchDone,
    Ended,
    Event,
    FitStarted,
    Iterated,
    Listener,
    PassEnded,
    Started,
    StartFound,
    SweepIterated,
    as_dict,
)
from daskgmm.em.settings import GAP_SHARE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

RECENT = 5
"""Iterations whose speed and decay stand for those to come."""

QUIET_SECONDS = 5.0
"""Between two lines about the same pass, where the output is no terminal."""


class Forecast:
    """The time that the iterations of a start still need.

    EM converges linearly: near the end each change is about r times the one before. So
    log(tol / change) / log(r) iterations are left, and never more than `max_iter` allows.

    Parameters
    ----------
    tol : float
    max_iter : int
    """

    def __init__(self, tol: float, max_iter: int) -> None:
        self._tol, self._max_iter = tol, max_iter
        self._changes: list[float] = []
        self._gaps: list[float] = []
        self._seconds: list[float] = []

    def add(self, event: Iterated) -> str:
        """Take in an iteration; return the time left in words, empty at the end."""
        if event.iteration == 1:
            self._changes, self._gaps, self._seconds = [], [], []
        if math.isfinite(event.change):
            self._changes.append(abs(event.change))
        if math.isfinite(event.gap):
            self._gaps.append(event.gap)
        self._seconds.append(event.seconds)
        allowed = self._max_iter - event.iteration
        if math.isnan(event.gap):
            left = iterations_left(self._changes[-RECENT:], self._tol)
        else:
            left = max(1, iterations_left(self._gaps[-RECENT:], GAP_SHARE * self._tol))
        if left == 0 or allowed == 0:
            return ""
        seconds = statistics.median(self._seconds[-RECENT:]) * min(left, allowed)
        return f"{'about' if left < allowed else 'at most'} {duration(seconds)} left"


def iterations_left(changes: Sequence[float], tol: float) -> float:
    """Return how many iterations until the change is below `tol`; infinite if nobody can say."""
    if not changes:
        return math.inf
    if changes[-1] < tol:
        return 0
    if len(changes) < 2 or not 0 < changes[-1] < changes[0] or tol <= 0:
        return math.inf
    log_ratio = math.log(changes[-1] / changes[0]) / (len(changes) - 1)
    return max(1, math.ceil(math.log(tol / changes[-1]) / log_ratio))


def duration(seconds: float) -> str:
    """Return seconds in words, as roughly as they are known."""
    if seconds < 1:
        return "1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def size(nbytes: float) -> str:
    """Return bytes in words: powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if nbytes < 999.5:
            return f"{nbytes:.0f} B" if unit == "B" else f"{nbytes:.3g} {unit}"
        nbytes /= 1000
    return f"{nbytes:.3g} TB"


def iteration_line(event: Iterated, left: str) -> str:
    """Return what an iteration found, in one line."""
    change = f"change {event.change:.1e}" if math.isfinite(event.change) else "change -"
    if math.isfinite(event.gap):
        change = f"to gain {event.gap:.1e}"
    return (
        f"iteration {event.iteration}  log likelihood {event.lower_bound:.5f}  {change}  "
        f"{speed(event.rows, event.seconds)}  {event.seconds:.2f} s  {left}"
    ).rstrip()


READINGS = ("survey", "sample", "measure")
"""Passes that are no iteration, and have a line of their own."""


def reading_line(event: PassEnded) -> str:
    """Return what a pass that is no iteration has read, in one line."""
    return (
        f"{event.name}  {event.rows:,} rows  {size(event.nbytes)}  "
        f"{speed(event.rows, event.seconds)}  {event.seconds:.2f} s"
    )


def resumed_line(event: FitStarted) -> str:
    """Return where a fit goes on."""
    return f"going on from the checkpoint, after iteration {event.resumed}"


def speed(rows: int, seconds: float) -> str:
    """Return the rows of a second."""
    return f"{rows / max(seconds, 1e-9):.1e} rows/s"


def start_line(event: StartFound) -> str:
    """Return what was found on the sample, in one line."""
    return (
        f"start  best of {event.candidates} on a sample of {event.rows:,} rows  "
        f"log likelihood {event.lower_bound:.5f}  {event.seconds:.2f} s"
    )


class Lines:
    """A plain line for the survey, the sample, each start and each iteration.

    Parameters
    ----------
    left : callable
        Returns the time left after an iteration, in words.
    write : callable
        Writes one line.
    """

    def __init__(self, left: Callable[[Iterated], str], write: Callable[[str], None]) -> None:
        self._left, self._write = left, write

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, FitStarted) and event.resumed is not None:
            self._write(resumed_line(event))
        elif isinstance(event, PassEnded) and event.name in READINGS:
            self._write(reading_line(event))
        elif isinstance(event, StartFound):
            self._write(start_line(event))
        elif isinstance(event, Started) and event.initialisation:
            self._write(f"start {event.initialisation + 1}")
        elif isinstance(event, Iterated):
            self._write(iteration_line(event, self._left(event)))


class Bars:
    """The same lines above a bar that counts the batches of the current pass.

    Parameters
    ----------
    forecast : Forecast
    bar : rich.progress.Progress
        From `make_bar`, and running.
    """

    def __init__(self, forecast: Forecast, bar: Progress) -> None:
        self._forecast, self._bar = forecast, bar
        self._task = bar.add_task("survey", total=None, left="")
        self._lines = Lines(self._keep, self._print)
        self._left = ""
        self._resumed = 0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, BatchDone):
            self._bar.update(self._task, completed=event.done, total=event.total)
            return
        self._lines(event)
        if isinstance(event, FitStarted):
            self._resumed = event.resumed or 0
        elif isinstance(event, PassEnded) and event.name == "survey":
            self._next("start")
        elif isinstance(event, StartFound):
            self._next("iteration 1")
        elif isinstance(event, Started):
            self._left = ""
            self._next(f"iteration {self._resumed + 1}")
            self._resumed = 0
        elif isinstance(event, Iterated):
            self._next(f"iteration {event.iteration + 1}")
        elif isinstance(event, Ended):
            self._left = ""
            self._next("start")

    def _next(self, title: str) -> None:
        self._bar.reset(self._task, total=None, description=title, left=self._left)

    def _keep(self, event: Iterated) -> str:
        """Keep the forecast for the bar, where it stays in sight."""
        self._left = self._forecast.add(event)
        return ""

    def _print(self, line: str) -> None:
        self._bar.console.print(line, highlight=False, soft_wrap=True)


class SweepLines:
    """A plain line for each pass of a sweep.

    Parameters
    ----------
    write : callable
        Writes one line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._rows, self._seconds = 0, 0.0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, PassEnded) and event.name in READINGS:
            self._write(reading_line(event))
        elif isinstance(event, PassEnded):
            # More than one if some model needs another pass of its own.
            self._rows, self._seconds = self._rows + event.rows, self._seconds + event.seconds
        elif isinstance(event, SweepIterated):
            self._write(sweep_line(event, self._rows, self._seconds))
            self._rows, self._seconds = 0, 0.0


def sweep_line(event: SweepIterated, rows: int, seconds: float) -> str:
    """Return what became of the models that shared a pass, in one line."""
    many = f"{event.models} model{'s' if event.models > 1 else ''}"
    return (
        f"pass {event.iteration}  {many}, {event.left} left  {speed(rows, seconds)}  "
        f"{seconds:.2f} s"
    )


class SweepBars:
    """The same lines above a bar that counts the batches of the current pass.

    Parameters
    ----------
    bar : rich.progress.Progress
        From `make_bar`, and running.
    """

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("survey", total=None, left="")
        self._lines = SweepLines(self._print)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, BatchDone):
            self._bar.update(self._task, completed=event.done, total=event.total)
            return
        self._lines(event)
        if isinstance(event, PassEnded) and event.name in READINGS:
            self._next("starts")
        elif isinstance(event, SweepIterated):
            self._next(f"pass {event.iteration + 1}" if event.left else "measure")

    def _next(self, title: str) -> None:
        self._bar.reset(self._task, total=None, description=title)

    def _print(self, line: str) -> None:
        self._bar.console.print(line, highlight=False, soft_wrap=True)


class JsonLines:
    """Every event but those of single batches, one JSON object a line, with the time.

    Parameters
    ----------
    file : text file
        Flushed after each line, so that another program can follow.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def __call__(self, event: Event) -> None:
        """Write one event."""
        if not isinstance(event, BatchDone):
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            print(json.dumps({"time": now, **as_dict(event)}), file=self._file, flush=True)


def make_bar(console: Console) -> Progress:
    """Return a bar with a title, the batches done and the time left; gone when it ends."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TextColumn("batches"),
        TextColumn("{task.fields[left]}"),
        console=console,
        transient=True,
    )


@contextmanager
def show_fit(tol: float, max_iter: int, *, quiet: bool = False) -> Iterator[Listener | None]:
    """Show a fit while it runs.

    Yields
    ------
    callable or None
        To be given to `GaussianMixture.fit` as `listen`; None if `quiet`.
    """
    forecast, console = Forecast(tol, max_iter), _terminal()
    if quiet:
        yield None
    elif console is None:
        yield Lines(forecast.add, _write)
    else:
        with make_bar(console) as bar:
            yield Bars(forecast, bar)


@contextmanager
def show_sweep(*, quiet: bool = False) -> Iterator[Listener | None]:
    """Show a sweep while it runs; yields what to give to `sweep` as `listen`, as `show_fit`."""
    console = _terminal()
    if quiet:
        yield None
    elif console is None:
        yield SweepLines(_write)
    else:
        with make_bar(console) as bar:
            yield SweepBars(bar)


@contextmanager
def show_pass(title: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None] | None]:
    """Show a single pass while it runs.

    Yields
    ------
    callable or None
        To be called with the number of batches done and their total; None if `quiet`.
    """
    console = _terminal()
    if quiet:
        yield None
    elif console is None:
        yield _plain_pass(title)
    else:
        with make_bar(console) as bar:
            task = bar.add_task(title, total=None, left="")
            yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain_pass(title: str) -> Callable[[int, int], None]:
    """Write a line now and then: about long passes only."""
    last = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > QUIET_SECONDS:
            last = time.monotonic()
            _write(f"{title}  {done} of {total} batches")

    return progress


def _terminal() -> Any:
    """Return a console on standard error, or None if that is no terminal that can redraw."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console

    console = Console(stderr=True)
    return None if console.is_dumb_terminal else console


def _write(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
