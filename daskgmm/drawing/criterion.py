"""Pictures of choices: a criterion against the number of components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.counting import counted
from daskgmm.drawing.style import (
    SMALL,
    colours_of_structures,
    ground,
    ink,
    legend,
    new_axes,
    note,
    ordered_structures,
    visible,
)
from daskgmm.names import FITTED, HIGHER_IS_BETTER
from daskgmm.spelling import did_you_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELS = {
    "bic": "BIC (nats; lower is better)",
    "aic": "AIC (nats; lower is better)",
    "icl": "ICL (nats; lower is better)",
    "heldout": "held-out log likelihood\n(nats per row; higher is better)",
}

SIZE = (7.2, 4.4)
"""Inches."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The models of a table that have a value, as arrays.

    Attributes
    ----------
    k : ndarray of int, shape (m,)
    structure : ndarray of str, shape (m,)
    fitted : ndarray of bool, shape (m,)
        Not beaten on the sample, and without degenerate components.
    degenerate : ndarray of bool, shape (m,)
        With components that have no rows, or rest on a floor.
    value, error : ndarray of shape (m,)
        The criterion and its standard error, NaN where there is none.
    cost : ndarray of shape (m,)
        The value with the sign that makes the smallest the best.
    place : ndarray of int, shape (m,)
        Where a model stands across the picture: k, or the number of its structure.
    """

    k: NDArray[np.int64]
    structure: NDArray[np.str_]
    fitted: NDArray[np.bool_]
    degenerate: NDArray[np.bool_]
    value: NDArray[np.float64]
    error: NDArray[np.float64]
    cost: NDArray[np.float64]
    place: NDArray[np.int64]

    def best(self, among: NDArray[np.bool_]) -> int:
        """Return the best model of some; one fitted on all rows and sound, if there is any."""
        rows = np.flatnonzero(among & self.fitted)
        if not rows.size:
            rows = np.flatnonzero(among)
        return int(rows[np.argmin(self.cost[rows])])


def criterion_curve(
    table: Mapping[str, Sequence[Any]], criterion: str = "bic", ax: Axes | None = None
) -> Axes:
    """Draw a criterion against the number of components, one colour a covariance type.

    A line runs through the best start of each k, small dots are the other starts. Models that
    were beaten on the sample, or have degenerate components, are hollow, and the latter crossed:
    they count only where there is no other. The best model is ringed and named. A band shows
    standard errors. If all models have the same number of components, they are drawn against the
    covariance type. `Axes.set_ylim` of what is returned looks closer.

    Parameters
    ----------
    table : mapping of lists, or pandas.DataFrame
        One row a model: ``n_components``, ``covariance_type``, ``seed``, ``status`` ("fitted",
        on all rows, or "sample": clearly beaten there) and the criterion. A standard error is
        in ``{criterion}_se``, the number of degenerate components in ``degenerate``, if there.
        Rows without a finite value are left out.
    criterion : str, default="bic"
        A column. For "heldout", the mean log-likelihood of other rows in nats per row, higher is
        better; for all else lower is.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure of pyplot's.

    Returns
    -------
    matplotlib.axes.Axes
        Criteria in nats, of all rows together; "heldout" in nats per row.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If the table has no such columns, or no model with a finite value.

    Examples
    --------
    >>> table = {
    ...     "n_components": [1, 2, 3],
    ...     "covariance_type": ["full"] * 3,
    ...     "seed": [0] * 3,
    ...     "status": ["sample", "fitted", "fitted"],
    ...     "bic": [912.0, 640.5, 655.1],
    ... }
    >>> from daskgmm import plot
    >>> ax = plot.criterion(table)
    >>> ax.get_xlabel()
    'number of components k'
    """
    models = candidates(table, criterion)
    axes = new_axes(ax, SIZE)
    kinds = ordered_structures(map(str, models.structure))
    across = len(kinds) > 1 and len(np.unique(models.k)) == 1
    if across:
        models = replace(models, place=np.array([kinds.index(each) for each in models.structure]))
    for structure, colour in colours_of_structures(kinds).items():
        _draw_structure(axes, models, structure, visible(axes, colour))
    _label(axes, models, LABELS.get(criterion, criterion))
    _mark(axes, models, up=criterion in HIGHER_IS_BETTER)
    if across:
        _name_structures(axes, kinds, int(models.k[0]))
    elif len(kinds) > 1:
        legend(axes, "covariances")
    return axes


def candidates(table: Mapping[str, Sequence[Any]], criterion: str) -> Candidates:
    """Return the models of a table that have a finite value."""
    _check_columns(table, criterion)
    value = np.asarray(table[criterion], np.float64)
    finite = np.isfinite(value)
    if not finite.any():
        raise ValueError(f"No model in the table has a finite {criterion!r}: nothing to draw.")
    sound = np.asarray(table.get("degenerate", np.zeros(len(value)))) == 0
    error = np.asarray(table.get(f"{criterion}_se", np.full(len(value), np.nan)), np.float64)
    k = np.asarray(table["n_components"], np.int64)[finite]
    return Candidates(
        k,
        np.asarray(table["covariance_type"], np.str_)[finite],
        (sound & (np.asarray(table["status"], np.str_) == FITTED))[finite],
        ~sound[finite],
        value[finite],
        error[finite],
        -value[finite] if criterion in HIGHER_IS_BETTER else value[finite],
        k,
    )


def _check_columns(table: Mapping[str, Sequence[Any]], criterion: str) -> None:
    wanted = ["n_components", "covariance_type", "seed", "status", criterion]
    missing = [name for name in wanted if name not in table]
    if missing:
        raise ValueError(
            f"The table has no column {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, table))}. Give a table of models, and a criterion that is one "
            f"of its columns.{did_you_mean(missing[0], table)}"
        )
    lengths = {name: len(table[name]) for name in (*wanted, f"{criterion}_se") if name in table}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The columns of the table differ in length: {lengths}.")


def _draw_structure(axes: Axes, models: Candidates, structure: str, colour: str) -> None:
    """Draw a line through the best starts, a band of their errors, and all models as dots."""
    same = models.structure == structure
    best = np.array([models.best(same & (models.k == k)) for k in np.unique(models.k[same])])
    place, value, error = models.place[best], models.value[best], models.error[best]
    if np.isfinite(error).any():
        low, high = value - error, value + error
        axes.fill_between(place, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.vlines(place, low, high, color=colour, alpha=0.35, linewidth=0.8)
    axes.plot(place, value, color=colour, linewidth=1.6, label=structure)
    others = np.setdiff1d(np.flatnonzero(same), best)
    for rows, size, alpha in ((others, 3.4, 0.55), (best, 5.0, 1.0)):
        for fitted in (True, False):
            some = rows[models.fitted[rows] == fitted]
            face = colour if fitted else ground(axes)
            look: dict[str, Any] = {"markersize": size, "markeredgewidth": 0.2 * size}
            look |= {"color": colour, "markerfacecolor": face, "alpha": alpha}
            axes.plot(models.place[some], models.value[some], "o", **look)
        some = rows[models.degenerate[rows]]
        axes.plot(models.place[some], models.value[some], "x", color=colour, markersize=1.7 * size)


def _mark(axes: Axes, models: Candidates, *, up: bool) -> None:
    """Ring the best model, and write its name where no other model is: beyond it."""
    best = models.best(np.ones(len(models.k), np.bool_))
    x, value = int(models.place[best]), float(models.value[best])
    axes.plot([x], [value], "o", color=ink(axes), markersize=11, fillstyle="none")
    axes.margins(y=0.1)
    place = (x - models.place.min()) / max(1, models.place.max() - models.place.min())
    axes.annotate(
        f"best: {counted(int(models.k[best]), 'component')}, {models.structure[best]}",
        (x, value),
        xytext=(0, 11 if up else -11),
        textcoords="offset points",
        horizontalalignment="left" if place < 0.25 else "right" if place > 0.75 else "center",
        verticalalignment="bottom" if up else "top",
        fontsize=SMALL,
        fontweight="bold",
    )


def _name_structures(axes: Axes, kinds: Sequence[str], k: int) -> None:
    """Write the structures below the axis, in place of numbers of components."""
    axes.set_xlabel(f"covariance type ({counted(k, 'component')})")
    turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(kinds)), kinds, **(turned if len(kinds) > 6 else {}))


def _label(axes: Axes, models: Candidates, label: str) -> None:
    """Label the axes, and say above them what dots and bands are, as far as there are any."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("number of components k")
    axes.set_ylabel(label)
    locator = MaxNLocator(12, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    axes.xaxis.set_major_locator(locator)
    axes.ticklabel_format(axis="y", scilimits=(-4, 6), useOffset=False, useMathText=True)
    first, last = int(models.place.min()), int(models.place.max())
    margin = max(0.6, 0.03 * (last - first))
    axes.set_xlim(first - margin, last + margin)
    axes.grid(color=ink(axes), alpha=0.15)
    alone = len(set(zip(models.k, models.structure, strict=True))) == len(models.k)
    words = [
        "" if alone else "small: other starts",
        "hollow: beaten on the sample" if (~models.fitted & ~models.degenerate).any() else "",
        "crossed: degenerate" if models.degenerate.any() else "",
        "band: \N{PLUS-MINUS SIGN} 1 s.e." if np.isfinite(models.error).any() else "",
    ]
    note(axes, words)
