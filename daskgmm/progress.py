"""Progress of a fit or a pass on standard error: a bar on a terminal, or lines."""

from __future__ import annotations

import json
import logging
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TextIO

from daskgmm.counting import counted
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
    SweepResumed,
    as_dict,
)
from daskgmm.em.objective import objective_name
from daskgmm.em.settings import CALM, GAP_SHARE
from daskgmm.names import PREDICTIONS
from daskgmm.passes.plan import size
from daskgmm.storage.local import shortage
from daskgmm.user_warnings import warn_user

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

RECENT = 5
"""Number of last iterations whose speed and decay are extrapolated."""

QUIET_SECONDS = 5.0
"""Seconds between two lines about batches or passes, where the output is no terminal."""


class Forecast:
    """Forecast of the time that the iterations of a start still need.

    EM converges linearly: near the end each change is about r times the one before. So
    log(tol / change) / log(r) iterations are left, and never more than `max_iter` allows.
    """

    def __init__(self, tol: float, max_iter: int) -> None:
        self._tol, self._max_iter = tol, max_iter
        self._changes: list[float] = []
        self._gaps: list[float] = []
        self._seconds: list[float] = []

    def add(self, event: Iterated) -> str:
        """Add an iteration; return a text of the time left, empty at the end."""
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
            tolerance = GAP_SHARE * self._tol
            calm = [gap < tolerance for gap in self._gaps[-CALM:]]
            ends = len(calm) == CALM and all(calm)
            left = 0 if ends else max(1, iterations_left(self._gaps[-RECENT:], tolerance))
        if left == 0 or allowed == 0:
            return ""
        seconds = statistics.median(self._seconds[-RECENT:]) * min(left, allowed)
        return f"{'about' if left < allowed else 'at most'} {duration(seconds)} left"


def iterations_left(changes: Sequence[float], tol: float) -> float:
    """Return the number of iterations until the change is below `tol`; infinite if unknown."""
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


def speed(rows: int, seconds: float) -> str:
    """Return the rows of a second, and the seconds."""
    return f"{rows / max(seconds, 1e-9):.1e} rows/s  {seconds:.2f} s"


GOING_ON = "resuming from the checkpoint"


def line(event: Event, objective: str = "log likelihood") -> str:
    """Return the line for an event, empty for most; `objective` is the name of lower bounds."""
    match event:
        case FitStarted(resumed=int(iteration)):
            return f"{GOING_ON}, after iteration {iteration}"
        case SweepResumed():
            of = f"{event.left} of {counted(event.models, 'model')} left"
            return f"{GOING_ON}, after pass {event.iteration}  {of}"
        case PassEnded(name="survey" | "sample" | "measure"):
            measured = f"{counted(event.rows, 'row')}  {size(event.nbytes)}"
            return f"{event.name}  {measured}  {speed(event.rows, event.seconds)}"
        case StartFound():
            anew = (
                "\n  EM begins at scikit-learn's start, which ends as high"
                if event.begun_anew
                else ""
            )
            return (
                f"start  best of {event.candidates} on a sample of {counted(event.rows, 'row')}  "
                f"{objective} {event.lower_bound:.5f}  {event.seconds:.2f} s{anew}"
            )
        case Started(initialisation=number) if number:
            return f"start {number + 1}"
        case Iterated():
            change = f"change {event.change:.1e}" if math.isfinite(event.change) else "change -"
            if math.isfinite(event.gap):
                change = f"to gain {event.gap:.1e}"
            return (
                f"iteration {event.iteration}  {objective} {event.lower_bound:.5f}  {change}  "
                f"{speed(event.rows, event.seconds)}"
            )
        case SweepIterated():
            told = f"pass {event.iteration}  {counted(event.models, 'model')}, {event.left} left"
            best = best_of(event)
            return f"{told}  {LOWEST_BIC} {best}" if best else told
    return ""


LOWEST_BIC = "lowest BIC"
"""What a running sweep shows, whatever its criterion is: passes tell it, but neither ICL nor
held-out likelihood."""


def told_bic(value: float) -> str:
    """Return a BIC with the digits in which models differ, however many rows there are."""
    return f"{value:,.1f}"


def best_of(event: SweepIterated) -> str:
    """Return the lowest BIC by then, and of what model; empty if it is not known."""
    if not math.isfinite(event.bic):
        return ""
    return f"{told_bic(event.bic)} ({event.components} {event.covariance_type})"


def next_title(event: Event, iteration: int) -> str:
    """Return the title of the step that starts after an event, empty if none does."""
    match event:
        case PassEnded(name="survey" | "sample" | "measure") | Ended():
            return "start"
        case StartFound() | Started():
            return f"iteration {iteration}"
        case Iterated():
            return f"iteration {event.iteration + 1}"
        case SweepIterated() | SweepResumed():
            return f"pass {event.iteration + 1}" if event.left else "measure"
    return ""


class Shown:
    """A listener that writes lines about events, above a running bar of batches if there is one.

    Without a bar, of the lines of passes only the first of a start, one in `QUIET_SECONDS` and the
    last are written: files and other programs would get hundreds.
    """

    def __init__(self, forecast: Forecast | None = None, bar: Progress | None = None) -> None:
        self._forecast, self._bar = forecast, bar
        self._task = None if bar is None else bar.add_task("survey", total=None, left="")
        self._left, self._first = "", 1
        self._rows, self._seconds = 0, 0.0
        self._objective = "log likelihood"
        self._held, self._held_left, self._written = "", "", -math.inf

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, BatchDone):
            if self._bar is not None and self._task is not None:
                show_batches(self._bar, self._task, event.done, event.total)
            return
        text, title = line(event, self._objective), next_title(event, self._first)
        if isinstance(event, FitStarted):
            self._first = 1 + (event.resumed or 0)
            self._objective = objective_name(event.prior, event.noise)
        elif isinstance(event, Started):
            self._left, self._first = "", 1
            if event.initialisation:  # the first may have had a pass, which compared starts
                self.close()
                self._written = -math.inf
        elif isinstance(event, PassEnded) and not text:
            # A sweep's pass is more than one if some model needs another of its own.
            self._rows, self._seconds = self._rows + event.rows, self._seconds + event.seconds
        elif isinstance(event, SweepIterated):
            text += f"  {speed(self._rows, self._seconds)}"
            self._rows, self._seconds = 0, 0.0
        elif isinstance(event, Iterated):
            self._left = "" if self._forecast is None else self._forecast.add(event)
        elif isinstance(event, Ended):
            self._left = self._held_left = ""
        if isinstance(event, Iterated | SweepIterated) and self._bar is None:
            self._hold(text, self._left)
        elif text:
            self._write(text, self._left if isinstance(event, Iterated) else "")
        if title and self._bar is not None and self._task is not None:
            for task in self._bar.tasks:
                task.total = None  # a bar that moves until a batch is done; reset would keep it
            self._bar.reset(self._task, description=title, left=self._left)

    def close(self) -> None:
        """Write the last line of a pass, if it was not."""
        if self._held:
            _write(f"{self._held}  {self._held_left}".rstrip())
        self._held = ""

    def _hold(self, text: str, left: str) -> None:
        """Write a line of a pass, or keep it until it is the last one, after which none is left."""
        self._held, self._held_left = text, left
        if time.monotonic() - self._written > QUIET_SECONDS:
            self._written = time.monotonic()
            self.close()

    def _write(self, text: str, left: str) -> None:
        if self._bar is None:
            self.close()
            text = f"{text}  {left}".rstrip()
        _line_above(self._bar, text)  # the time left stays in sight beside a bar


class JsonLines:
    """A listener that writes events, except those of batches, as lines of JSON with the time.

    It flushes the file after each line, so that another program can follow. A failure is a warning,
    as the fit itself can go on.
    """

    def __init__(self, file: TextIO) -> None:
        self._file, self._failed = file, False

    @property
    def failed(self) -> bool:
        """Whether an event could not be written."""
        return self._failed

    def __call__(self, event: Event) -> None:
        """Write one event."""
        if self._failed or isinstance(event, BatchDone):
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            print(json.dumps({"time": now, **as_dict(event)}), file=self._file, flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._failed = True
            short = shortage(error)
            why = f" {short.what.capitalize()}." if short else ""
            warn_user(
                f"Events cannot be written to {self._file.name}: {error}.{why} The fit continues, "
                "and no more of them are written.",
            )


def make_bar(console: Console) -> Progress:
    """Return a bar with a title, the batches done, its time and the time left; gone at its end."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TextColumn("batches"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=console,
        transient=True,
    )


def show_batches(bar: Progress, task: TaskID, done: int, total: int) -> None:
    """Show the batches that are done; all of them before the next step takes the bar."""
    bar.update(task, completed=done, total=total, refresh=done == total)


@contextmanager
def show(forecast: Forecast | None = None, *, quiet: bool = False) -> Iterator[Listener | None]:
    """Show a fit, with its time left, or a sweep; yield the listener, None if `quiet`."""
    if quiet:
        yield None
    else:
        with show_lines(forecast) as shown:
            yield shown


@contextmanager
def show_lines(forecast: Forecast | None = None) -> Iterator[Listener]:
    """Show a fit or a sweep on standard error; yield the listener."""
    with _bar() as bar:
        shown = Shown(forecast, bar)
        try:
            yield shown
        finally:
            shown.close()


@contextmanager
def show_pass(title: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None] | None]:
    """Show a pass; yield a function of the batches done and their total, None if `quiet`."""
    if quiet:
        yield None
        return
    with _bar() as bar, _told(bar):
        if bar is None:
            yield _plain_pass(title)
        else:
            task = bar.add_task(title, total=None, left="")
            yield partial(show_batches, bar, task)


@contextmanager
def _told(bar: Progress | None) -> Iterator[None]:
    """Write what runs that write predictions tell, above a bar if there is one."""
    logger, shown = logging.getLogger(PREDICTIONS), _Lines(bar)
    level = logger.level
    logger.addHandler(shown)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(shown)
        logger.setLevel(level)


class _Lines(logging.Handler):
    """Writes what is logged as lines on standard error."""

    def __init__(self, bar: Progress | None) -> None:
        super().__init__()
        self._bar = bar

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        _line_above(self._bar, record.getMessage())


def _plain_pass(title: str) -> Callable[[int, int], None]:
    """Return a function that writes a line every `QUIET_SECONDS`."""
    last = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > QUIET_SECONDS:
            last = time.monotonic()
            _write(f"{title}  {done} of {counted(total, 'batch', 'es')}")

    return progress


@contextmanager
def _bar() -> Iterator[Progress | None]:
    """Yield a bar on standard error, or None if that is no terminal that can redraw."""
    if sys.stderr.isatty():
        from rich.console import Console

        console = Console(stderr=True)
        if not console.is_dumb_terminal:
            with make_bar(console) as bar:
                yield bar
            return
    yield None


def _line_above(bar: Progress | None, line: str) -> None:
    if bar is None:
        _write(line)
    else:
        bar.console.print(line, highlight=False, soft_wrap=True)


def _write(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
