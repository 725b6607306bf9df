"""What a fit did when: its passes, from the events that it told."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from daskgmm.drawing.style import (
    BLUE,
    FAINT,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    ground,
    ink,
    legend,
    new_axes,
    note,
)
from daskgmm.em.events import as_dict
from daskgmm.errors import SettingError
from daskgmm.models.classifying.classifier import GaussianMixtureClassifier
from daskgmm.models.mixtures.mixture import Mixture
from daskgmm.plot.convergence import history_of
from daskgmm.plot.shown import mixture_of
from daskgmm.readers import remedy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ITERATION = "iteration"
"""A pass of EM, as tasks of it are called on Dask's dashboard."""

BETWEEN, STARTS, CHECKPOINT = "between passes", "starts, on the sample", "checkpoint"
"""What a fit does without reading rows."""

WAITING = "waiting for rows"
"""The part of a pass in which there is nothing to compute with."""

COLOURS = {
    "survey": ORANGE, "sample": SKY, ITERATION: BLUE, "measure": GREEN,
    STARTS: PURPLE, CHECKPOINT: VERMILLION, BETWEEN: FAINT,
}  # fmt: skip

MORE = "#999999"
"""Colour of passes of other kinds."""

PREFIXES = ((1e9, "billion"), (1e6, "million"), (1e3, "thousand"), (1.0, ""))


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a run.

    Attributes
    ----------
    kind : str
    seconds : float
    rows : int
        That were read; 0 if none were.
    waiting : float
        Of the seconds of a pass, those in which tasks waited for rows.
    """

    kind: str
    seconds: float
    rows: int
    waiting: float = 0.0


def timeline(history: Any, *, ax: Axes | None = None) -> Axes:
    """Draw the passes of a fit one after the other: how long each took, and how fast rows came.

    A pass is a bar as wide as its time and as high as its rows per second, so that its area is its
    rows. The hatched part is the time that tasks waited for rows to be read, on average, where the
    events tell it. What a fit does without reading has a flat bar under the axis: starts on the
    sample, checkpoints, and all between passes.

    Parameters
    ----------
    history : sequence of events, path, or fitted mixture
        What ``listen=events.append`` gathered, or the file that ``--log-json`` wrote, of which the
        last fit is drawn. The `history_` of a mixture tells the iterations alone.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure of pyplot's.

    Returns
    -------
    matplotlib.axes.Axes
        Seconds along the horizontal axis, rows per second up the vertical one.

    Raises
    ------
    SettingError
        If there are no passes in it.
    ImportError
        If Matplotlib is missing: pip install 'daskgmm[plot]'.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import GaussianMixture, plot
    >>> X, events = np.random.default_rng(0).normal(size=(500, 2)), []
    >>> mixture = GaussianMixture(2, random_state=0).fit(X, listen=events.append)
    >>> plot.timeline(events).get_xlabel()
    'time (s)'
    """
    steps = steps_of(history)
    axes = new_axes(ax, (7.2, 3.6))
    ends = np.cumsum([step.seconds for step in steps])
    begins = ends - [step.seconds for step in steps]
    rates = np.array([step.rows / max(step.seconds, 1e-9) for step in steps])
    unit, word = next((each for each in PREFIXES if rates.max() >= each[0]), PREFIXES[-1])
    top = float(rates.max()) / unit
    seen: set[str] = set()
    for step, begin, rate in zip(steps, begins, rates, strict=True):
        label = None if step.kind in seen else step.kind
        seen.add(step.kind)
        low, high = (0.0, rate / unit) if step.rows else (-0.07 * top, 0.05 * top)
        axes.bar(
            begin, high, step.seconds, low, align="edge", color=COLOURS.get(step.kind, MORE),
            label=label, edgecolor=ground(axes), linewidth=0.4,
        )  # fmt: skip
        if step.waiting > 0:
            # In the same bar, so that its area stays that of its rows.
            label = None if WAITING in seen else WAITING
            seen.add(WAITING)
            axes.bar(
                begin, high, step.waiting, low, align="edge", color="white", alpha=0.65,
                label=label, edgecolor="black", linewidth=0.4, hatch="////",
            )  # fmt: skip
    _label(axes, steps, word, top)
    return axes


def steps_of(history: Any) -> list[Step]:
    """Return the parts of a run; raise `SettingError` if it read no rows."""
    if isinstance(history, (Mixture, GaussianMixtureClassifier)):
        table = history_of(mixture_of(history)[0])
        steps = [
            Step(ITERATION, float(seconds), int(rows))
            for seconds, rows in zip(table["seconds"], table["rows"], strict=True)
        ]
    else:
        steps = list(_of_events(_last_fit(_as_dicts(history))))
    if not any(step.rows for step in steps):
        raise SettingError(
            "There are no passes in the history. Give the events of a fit that has ended a pass: "
            f"{remedy('events = []; mixture.fit(X, listen=events.append); or ', '')}"
            "the file of --log-json."
        )
    return steps


def _as_dicts(history: Any) -> list[Mapping[str, Any]]:
    if isinstance(history, (str, os.PathLike)):
        return _read(Path(history))
    if isinstance(history, Mapping) or not isinstance(history, Iterable):
        raise SettingError(
            f"history is a {type(history).__name__}; give a list of events, the file that "
            "--log-json wrote, or a fitted mixture."
        )
    return [event if isinstance(event, Mapping) else as_dict(event) for event in history]


def _read(path: Path) -> list[Mapping[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.strip()]
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise SettingError(
            f"{path} has a line that is not JSON; give the file that --log-json wrote."
        ) from error
    return [each for each in found if isinstance(each, Mapping)]


def _last_fit(events: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    begins = [at for at, event in enumerate(events) if event.get("event") == "FitStarted"]
    return events[begins[-1] :] if begins else events


def _of_events(events: Iterable[Mapping[str, Any]]) -> Iterable[Step]:
    passed = 0.0
    for event in events:
        kind = event.get("event")
        if kind == "PassEnded":
            passed += event["seconds"]
            # Files of earlier versions do not tell how long tasks waited.
            waiting = float(event.get("waiting") or 0.0)
            name = ITERATION if event["name"] == "expectation" else event["name"]
            yield Step(name, event["seconds"], event["rows"], waiting)
        elif kind == "StartFound":
            yield Step(STARTS, event["seconds"], 0)
        elif kind == "Checkpointed":
            yield Step(CHECKPOINT, event["seconds"], 0)
        elif kind == "Iterated" and passed < event["seconds"]:
            # Its seconds are of its passes too, which are told before.
            yield Step(BETWEEN, event["seconds"] - passed, 0)
        if kind in ("Iterated", "StartFound", "Started"):
            passed = 0.0


def _label(axes: Axes, steps: Sequence[Step], word: str, top: float) -> None:
    passes = [step for step in steps if step.rows]
    seconds, reading = (sum(step.seconds for step in some) for some in (steps, passes))
    rate = sum(step.rows for step in passes) / max(reading, 1e-9)
    axes.axhline(0.0, color=ink(axes), linewidth=0.6)
    axes.spines["bottom"].set_visible(False)
    axes.set_ylim(-0.1 * top, 1.08 * top)
    axes.set_xlim(0.0, seconds)
    axes.set_xlabel("time (s)")
    axes.set_ylabel(f"rows per second ({word}s)" if word else "rows per second")
    plural = "" if len(passes) == 1 else "es"
    told = f"{len(passes)} pass{plural} in {seconds:.3g} s, {_short(rate)} rows per second"
    waiting = sum(step.waiting for step in passes) / max(reading, 1e-9)
    note(axes, [told, *([f"{waiting:.0%} of it waiting for rows"] if waiting else [])])
    if len({step.kind for step in steps}) > 1:
        legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _short(number: float) -> str:
    unit, word = next((each for each in PREFIXES if number >= each[0]), PREFIXES[-1])
    return f"{number / unit:.3g} {word}".strip()
