"""Pictures of choices: a criterion against the number of components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.names import HIGHER_IS_BETTER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELS = {
    "bic": "BIC (nats; lower is better)",
    "aic": "AIC (nats; lower is better)",
    "icl": "ICL (nats; lower is better)",
    "heldout": "held-out log likelihood\n(nats a row; higher is better)",
}

COLOURS = {"full": "#0072b2", "tied": "#009e73", "diag": "#d55e00", "spherical": "#cc79a7"}
"""A covariance type has the same colour in every picture; told apart by colour-blind people
too (Okabe and Ito, "Color universal design", 2008)."""

OTHER_COLOURS = ("#56b4e9", "#e69f00", "#7a828c")

INK, FAINT, LIGHT = "#22262b", "#7a828c", "#e6e8eb"

SMALL = 8.5
"""Points, of all text but the labels of the axes."""

ROOM = 0.08
"""Of the height, left free beyond the best model, for its name."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rows of a table that have a value: a model each.

    Attributes
    ----------
    k : ndarray of int, shape (m,)
    structure : ndarray of str, shape (m,)
    fitted : ndarray of bool, shape (m,)
        On all rows, not on the sample alone, and without degenerate components.
    value, error : ndarray of shape (m,)
        The criterion and its standard error, NaN where there is none.
    cost : ndarray of shape (m,)
        The value with the sign that makes the smallest the best.
    """

    k: NDArray[np.int64]
    structure: NDArray[np.str_]
    fitted: NDArray[np.bool_]
    value: NDArray[np.float64]
    error: NDArray[np.float64]
    cost: NDArray[np.float64]

    def best(self, among: NDArray[np.bool_]) -> int:
        """Return the best model of some; one fitted on all rows and sound, if there is any."""
        rows = np.flatnonzero(among & self.fitted)
        if not rows.size:
            rows = np.flatnonzero(among)
        return int(rows[np.argmin(self.cost[rows])])

    def best_of_each(self, structure: str) -> NDArray[np.intp]:
        """Return the best model of each k, in the order of k."""
        same = self.structure == structure
        return np.array([self.best(same & (self.k == k)) for k in np.unique(self.k[same])])


def plot_criterion(
    table: Mapping[str, Sequence[Any]], criterion: str = "bic", ax: Axes | None = None
) -> Axes:
    """Draw a criterion against the number of components, one colour a covariance type.

    A line runs through the best start of each k, small dots are the other starts. Models that
    stayed on the sample, or have degenerate components, are hollow: they count only where there
    is no other. The best model is ringed and named. A band shows standard errors.
    `Axes.set_ylim` of what is returned looks closer.

    Parameters
    ----------
    table : mapping of lists, or pandas.DataFrame
        One row a model: ``n_components``, ``covariance_type``, ``seed``, ``status`` ("fitted",
        on all rows, or "sample": clearly beaten there) and the criterion. A standard error is
        in ``{criterion}_se``, the number of degenerate components in ``degenerate``, if there.
        Rows without a finite value are left out.
    criterion : str, default="bic"
        A column. For "heldout", the mean log-likelihood of other rows in nats a row, higher is
        better; for all else lower is.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure of pyplot's.

    Returns
    -------
    matplotlib.axes.Axes

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
    >>> ax = plot_criterion(table)  # doctest: +SKIP
    >>> ax.figure.savefig("bic.png")  # doctest: +SKIP
    """
    models = candidates(table, criterion)
    axes = _new_axes() if ax is None else ax
    colours = colours_of(models.structure)
    for structure, colour in colours.items():
        _draw_structure(axes, models, structure, colour)
    best = models.best(np.ones(len(models.k), np.bool_))
    up = criterion in HIGHER_IS_BETTER
    _dress(axes, models, LABELS.get(criterion, criterion))
    _explain(axes, models)
    _mark(axes, models, best, colours[str(models.structure[best])], up)
    if len(colours) > 1:
        axes.legend(title="covariances", fontsize=SMALL, title_fontsize=SMALL, frameon=False)
    return axes


def candidates(table: Mapping[str, Sequence[Any]], criterion: str) -> Candidates:
    """Return the models of a table that have a finite value.

    Raises
    ------
    ValueError
        If a column is missing or has another length, or no value is finite.
    """
    _check_columns(table, criterion)
    value = np.asarray(table[criterion], np.float64)
    seen = np.isfinite(value)
    if not seen.any():
        raise ValueError(f"No model in the table has a finite {criterion!r}: nothing to draw.")
    sound = np.asarray(table.get("degenerate", np.zeros(len(value)))) == 0
    error = np.asarray(table.get(f"{criterion}_se", np.full(len(value), np.nan)), np.float64)
    return Candidates(
        np.asarray(table["n_components"], np.int64)[seen],
        np.asarray(table["covariance_type"], np.str_)[seen],
        (sound & (np.asarray(table["status"], np.str_) == "fitted"))[seen],
        value[seen],
        error[seen],
        -value[seen] if criterion in HIGHER_IS_BETTER else value[seen],
    )


def _check_columns(table: Mapping[str, Sequence[Any]], criterion: str) -> None:
    wanted = ["n_components", "covariance_type", "seed", "status", criterion]
    missing = [name for name in wanted if name not in table]
    if missing:
        raise ValueError(
            f"The table has no column {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, table))}. Give a table of models, and a criterion that is one "
            "of its columns."
        )
    lengths = {name: len(table[name]) for name in (*wanted, f"{criterion}_se") if name in table}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The columns of the table differ in length: {lengths}.")


def colours_of(structures: NDArray[np.str_]) -> dict[str, str]:
    """Return a colour for each covariance type, in scikit-learn's order of them."""
    present = list(map(str, np.unique(structures)))
    known = {name: colour for name, colour in COLOURS.items() if name in present}
    others = [name for name in present if name not in COLOURS]
    return known | {name: OTHER_COLOURS[i % len(OTHER_COLOURS)] for i, name in enumerate(others)}


def _new_axes() -> Axes:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "Plots are drawn with matplotlib. Install it with: pip install 'daskgmm[plot]'"
        ) from error
    axes: Axes = pyplot.subplots(figsize=(7.2, 4.4), dpi=150, layout="constrained")[1]
    return axes


def _draw_structure(axes: Axes, models: Candidates, structure: str, colour: str) -> None:
    best = models.best_of_each(structure)
    k, value, error = models.k[best], models.value[best], models.error[best]
    if np.isfinite(error).any():
        low, high = value - error, value + error
        axes.fill_between(k, low, high, color=colour, alpha=0.15, linewidth=0, zorder=1)
        axes.vlines(k, low, high, color=colour, alpha=0.35, linewidth=0.8, zorder=1)
    axes.plot(k, value, color=colour, linewidth=1.6, label=structure, zorder=3)
    others = np.setdiff1d(np.flatnonzero(models.structure == structure), best)
    _draw_dots(axes, models, others, colour, 3.4, 0.55)
    _draw_dots(axes, models, best, colour, 5.0, 1.0)


def _draw_dots(
    axes: Axes, models: Candidates, rows: NDArray[np.intp], colour: str, size: float, alpha: float
) -> None:
    """Draw models as dots: full ones on all rows, hollow ones on the sample."""
    for fitted in (True, False):
        some = rows[models.fitted[rows] == fitted]
        axes.plot(
            models.k[some],
            models.value[some],
            "o",
            color=colour,
            markersize=size,
            markerfacecolor=colour if fitted else axes.get_facecolor(),
            markeredgewidth=0.2 * size,
            alpha=alpha,
            zorder=4,
        )


def _mark(axes: Axes, models: Candidates, best: int, colour: str, up: bool) -> None:
    """Ring the best model, and write its name where no other model is: beyond it."""
    k, value, structure = int(models.k[best]), float(models.value[best]), models.structure[best]
    axes.plot(
        [k],
        [value],
        "o",
        color=colour,
        markersize=11,
        markeredgewidth=1.4,
        fillstyle="none",
        zorder=5,
    )
    low, high = axes.get_ylim()
    room = ROOM * (high - low)
    axes.set_ylim((low, high + room) if up else (low - room, high))
    place = (k - models.k.min()) / max(1, models.k.max() - models.k.min())
    side = "left" if place < 0.25 else "right" if place > 0.75 else "center"
    axes.annotate(
        f"best: {k} component{'s' if k > 1 else ''}, {structure}",
        (k, value),
        xytext=({"left": -6, "center": 0, "right": 6}[side], 11 if up else -11),
        textcoords="offset points",
        horizontalalignment=side,
        verticalalignment="bottom" if up else "top",
        color=INK,
        fontsize=SMALL,
        fontweight="bold",
    )


def _explain(axes: Axes, models: Candidates) -> None:
    """Say above the axes what dots and bands are, as far as there are any."""
    alone = len(set(zip(models.k, models.structure, strict=True))) == len(models.k)
    words = [
        "" if alone else "small: other starts",
        "" if models.fitted.all() else "hollow: on the sample, or degenerate",
        "band: \N{PLUS-MINUS SIGN} 1 s.e." if np.isfinite(models.error).any() else "",
    ]
    axes.set_title("   ".join(filter(None, words)), loc="right", color=FAINT, fontsize=SMALL)


def _dress(axes: Axes, models: Candidates, label: str) -> None:
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    axes.set_xlabel("number of components k", color=INK)
    axes.set_ylabel(label, color=INK)
    steps = [1, 2, 5, 10]
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=steps, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False, useMathText=True))
    axes.ticklabel_format(axis="y", scilimits=(-4, 6))
    first, last = int(models.k.min()), int(models.k.max())
    margin = max(0.6, 0.03 * (last - first))
    axes.set_xlim(first - margin, last + margin)
    axes.grid(color=LIGHT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=FAINT, labelcolor=INK, labelsize=SMALL)
