"""What EM raised against the passes of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.drawing.style import FAINT, colours, ground, new_axes, note
from daskgmm.em.objective import objective_name
from daskgmm.errors import SettingError
from daskgmm.models.mixtures.mixture import Mixture
from daskgmm.plot.shown import mixture_of
from daskgmm.readers import remedy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_SPAN = 1e-6
"""Smallest part of its values that the vertical axis spans."""

ROUNDING = 16 * np.finfo(np.float64).eps
"""Part of a value that is no gap to the best one, but rounding."""

OF_EVENTS = (
    "listen=events.append, and plot.timeline(events)",
    "--log-json FILE of fit, and --kind timeline of FILE",
)
"""How the passes of a run are kept, by who reads it."""


def convergence(mixture: Any, *, gap: bool = False, ax: Axes | None = None) -> Axes:
    """Draw what a fit raised against its passes, as `history_` has it.

    A line an initialisation; the one that the mixture is of is in colour. A hollow dot is a pass
    that rejected what acceleration proposed.

    Parameters
    ----------
    mixture : fitted mixture
        Model files keep the history.
    gap : bool, default=False
        Whether to draw what each pass was below the best one, on a logarithmic axis.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure of pyplot's.

    Returns
    -------
    matplotlib.axes.Axes
        In nats per row: `lower_bound_` of each pass, which is called the objective where it is that
        of rows with noise of variance `reg_covar`; of a fit with a prior the log posterior, of a
        Bayesian mixture the bound.

    Raises
    ------
    SettingError
        If the mixture has no history, as one that was made from parameters.
    ImportError
        If Matplotlib is missing: pip install 'daskgmm[plot]'.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import GaussianMixture, plot
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> mixture = GaussianMixture(2, random_state=0).fit(X)
    >>> plot.convergence(mixture).get_xlabel()
    'pass of EM'
    """
    own, _ = mixture_of(mixture)
    history = history_of(own)
    axes = new_axes(ax)
    bound = np.asarray(history["lower_bound"], np.float64)
    accepted = np.asarray(history["accepted"], np.bool_)
    run = np.asarray(history["initialisation"])
    best = _best(own, run, bound)
    for number in np.unique(run):
        rows = run == number
        chosen = number == best
        colour = colours(1)[0] if chosen else FAINT
        values = _gaps(bound)[rows] if gap else bound[rows]
        _draw(axes, values, accepted[rows], colour, 3 if chosen else 2)
    _label(axes, own, gap=gap)
    alone = len(np.unique(run)) == 1
    equal = gap and not np.isfinite(_gaps(bound)).any()
    words = [
        "" if alone else "grey: other initialisations",
        "" if accepted.all() else "hollow: rejected",
        "all passes are equal up to rounding" if equal else "",
    ]
    if equal:
        axes.set(xlim=(0.5, len(bound) + 0.5), yticks=[])
        axes.yaxis.set_tick_params(which="minor", left=False, labelleft=False)
    note(axes, words)
    return axes


def _gaps(bound: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far passes are below the best one; NaN if that is rounding, or the best itself."""
    best = np.max(bound)
    gaps = best - bound
    return np.where(gaps > ROUNDING * max(1.0, abs(best)), gaps, np.nan)


def history_of(mixture: Mixture) -> Mapping[str, Sequence[Any]]:
    """Return the history of a mixture; raise `SettingError` if it has none."""
    history: Mapping[str, Sequence[Any]] | None = getattr(mixture, "history_", None)
    if not history or not len(history["lower_bound"]):
        raise SettingError(
            "The mixture has no history of passes: it was made from parameters, adapted, updated "
            f"or chosen by a sweep. Fit it, or take the events of the run: {remedy(*OF_EVENTS)}."
        )
    return history


def _best(mixture: Mixture, run: Any, bound: Any) -> int:
    """Return the initialisation whose last bound is the mixture's, or the highest."""
    last = {int(number): float(bound[run == number][-1]) for number in np.unique(run)}
    own = float(getattr(mixture, "lower_bound_", np.nan))
    same = [number for number, value in last.items() if value == own]
    return same[0] if same else max(last, key=lambda number: last[number])


def _draw(axes: Axes, values: Any, accepted: Any, colour: str, order: int) -> None:
    passes = np.arange(1, len(values) + 1)
    axes.plot(passes, values, color=colour, linewidth=1.4, zorder=order)
    size = 4.0 if len(values) <= 60 else 2.0
    for some, face in ((accepted, colour), (~accepted, ground(axes))):
        axes.plot(
            passes[some], values[some], "o", color=colour, markersize=size,
            markerfacecolor=face, zorder=order,
        )  # fmt: skip


def _label(axes: Axes, mixture: Mixture, *, gap: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    ended = mixture._ended_with
    what = objective_name(None) if ended is None else objective_name(ended.prior, ended.noise)
    axes.set_xlabel("pass of EM")
    axes.set_ylabel(f"{what}\n{'below the best ' if gap else ''}(nats per row)")
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
    if gap:
        axes.set_yscale("log")
    else:
        axes.ticklabel_format(axis="y", useOffset=False)
        low, high = axes.get_ylim()
        least = LEAST_SPAN * max(1.0, abs(low), abs(high))
        if high - low < least:  # what differs is rounding
            middle = (low + high) / 2
            axes.set_ylim(middle - least / 2, middle + least / 2)
