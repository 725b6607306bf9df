"""The look of all pictures: colours, sizes, axes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, GREEN, VERMILLION, PURPLE = "#0072b2", "#009e73", "#d55e00", "#cc79a7"
ORANGE, SKY, BLACK = "#e69f00", "#56b4e9", "#000000"

PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Colours that colour-blind people tell apart too, in the order in which components have them
(Okabe and Ito, "Color universal design", 2008); without yellow, which is faint on white."""

SHADES = (0.0, -0.42, 0.38)
"""How far the colours of each further round through the palette are from those of the first: to
black below 0, to white above."""

STRUCTURES = {"full": BLUE, "tied": GREEN, "diag": VERMILLION, "spherical": PURPLE}
"""These covariance types have the same colours in every picture."""

MIDDLE = 0.18
"""Relative luminance of a ground that is as far from black as from white, as eyes see it."""

LEAST_CONTRAST = 1.5
"""Ratio of luminances below which a line is hardly seen."""

SMALL = 8.5
"""Points, of all text but the labels of the axes."""

LETTER, LINE = 0.55, 1.3
"""Width of a letter, on average, and distance of two lines, over the size of the letters."""

BETWEEN = "   "
"""Between two things that are said in a line."""

NOTE, NOTE_GAP = "daskgmm-note", 3.0
"""Name of what says above axes what marks mean, and its distance from them in points."""

MOST_LINES = 3
"""Largest number of lines of a name beside an axis."""

FAINT = "0.55"
"""Grey of what is not the matter."""

SIZE = (6.4, 4.4)
"""Inches of a picture with one pair of axes."""

DPI = 150

UNITS = {
    "degrees_north": "\N{DEGREE SIGN}N", "degree_north": "\N{DEGREE SIGN}N",
    "degrees_east": "\N{DEGREE SIGN}E", "degree_east": "\N{DEGREE SIGN}E",
    "degC": "\N{DEGREE SIGN}C", "degree_Celsius": "\N{DEGREE SIGN}C", "1": "",
}  # fmt: skip
"""Units of the CF conventions as they are written."""

NO_PLOTS = "Plots are drawn with matplotlib. Install it with: pip install 'daskgmm[plot]'"


def colours(count: int) -> list[str]:
    """Return so many colours; 20 of them differ, as far as colours can."""
    rounds = (_shaded(colour, shade) for shade in cycle(SHADES) for colour in PALETTE)
    return list(islice(rounds, count))


def ordered_structures(names: Iterable[str]) -> list[str]:
    """Return each name once: those of `STRUCTURES` in its order, then the others by name."""
    present = set(names)
    others = sorted(present - STRUCTURES.keys())
    return [*(name for name in STRUCTURES if name in present), *others]


def colours_of_structures(kinds: Sequence[str]) -> dict[str, str]:
    """Return the colour of each covariance type: others have what `STRUCTURES` leaves."""
    taken = set(STRUCTURES.values())
    left = (colour for colour in colours(len(kinds) + len(taken)) if colour not in taken)
    return {name: STRUCTURES.get(name) or next(left) for name in kinds}


def new_figure(size: tuple[float, float] = SIZE) -> Figure:
    """Return a new figure of pyplot's; raise `ImportError`, with advice, without Matplotlib."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(NO_PLOTS) from error
    figure: Figure = pyplot.figure(figsize=size, dpi=DPI, layout="constrained")
    return figure


def new_axes(ax: Axes | None = None, size: tuple[float, float] = SIZE) -> Axes:
    """Return the axes that are given, or those of a new figure, with what all pictures share."""
    return plain(new_figure(size).add_subplot() if ax is None else ax)


def plain(axes: Axes) -> Axes:
    """Leave out what frames the axes twice, and make the rest thin and its text small."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_linewidth(0.6)
    axes.tick_params(width=0.6, labelsize=SMALL)
    return axes


def few_ticks(axis: Any, most: int = 5, *, integer: bool = False) -> None:
    """Give an axis a few ticks, in round numbers, or in whole ones."""
    from matplotlib.ticker import MaxNLocator

    steps = [1, 2, 5, 10] if integer else [1, 2, 2.5, 5, 10]
    axis.set_major_locator(MaxNLocator(most, steps=steps, integer=integer))


def labelled(name: str, unit: str | None, width: int) -> str:
    """Return a name with its unit, in three lines of so many letters at most."""
    unit = written(unit)
    text = f"{name} ({unit})" if unit else name
    lines = wrap(text.replace("_", "_ "), width, break_long_words=True)
    lines = [line.replace("_ ", "_").rstrip() for line in lines]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"{lines[MOST_LINES - 1][:-1]}\N{HORIZONTAL ELLIPSIS}"]
    return "\n".join(lines) or text


def written(unit: str | None) -> str | None:
    """Return a unit as it is written."""
    return None if unit is None else UNITS.get(unit, unit)


def bar_beside(axes: Axes, image: Any, label: str) -> Any:
    """Return a colour bar as high as the axes, which keep their place."""
    place = axes.inset_axes((1.03, 0.0, 0.03, 1.0))
    bar = axes.figure.colorbar(image, cax=place)
    bar.ax.tick_params(labelsize=SMALL, width=0.6)
    bar.outline.set_linewidth(0.4)
    bar.set_label(label, fontsize=SMALL)
    return bar


def note(axes: Axes, words: Sequence[str]) -> None:
    """Say in small letters above the axes what marks mean, as far as there is anything to say.

    A title that is set later stands above that.
    """
    said = in_lines(words, letters_across(axes))
    if not said:
        return
    from matplotlib.transforms import ScaledTranslation

    # Axes inside of axes raise their titles, and a text does not.
    lines = said.count("\n") + 1
    inches = (2 * NOTE_GAP + SMALL * (1 + LINE * (lines - 1))) / 72
    above = axes.transAxes + ScaledTranslation(0.0, inches, axes.figure.dpi_scale_trans)
    strip = axes.inset_axes((0.0, 1.0, 1.0, 1e-3), transform=above, label=NOTE)
    strip.set_axis_off()
    strip.annotate(
        said, (1.0, 1.0), (0.0, NOTE_GAP), xycoords=axes.transAxes, textcoords="offset points",
        ha="right", va="bottom", fontsize=SMALL, annotation_clip=False, linespacing=LINE,
    )  # fmt: skip


def in_lines(words: Sequence[str], most: int) -> str:
    """Return what is said side by side, in as many lines as letters need."""
    lines: list[str] = []
    for each in filter(None, words):
        if lines and len(lines[-1]) + len(BETWEEN) + len(each) <= most:
            lines[-1] += BETWEEN + each
        else:
            lines.append(each)
    return "\n".join(lines)


def letters_across(axes: Axes) -> int:
    """Return how many small letters there is room for above the axes."""
    return max(1, int(72 * axes.bbox.width / axes.figure.dpi / (LETTER * SMALL)))


def legend(axes: Axes, title: str | None = None, **settings: Any) -> None:
    """Add a legend in small letters, readable on what is drawn."""
    look: dict[str, Any] = {
        "fontsize": SMALL,
        "title_fontsize": SMALL,
        "edgecolor": "none",
        "framealpha": 0.75,
    }
    axes.legend(title=title, **look, **settings)


def outlined(axes: Axes) -> list[Any]:
    """Return what makes a text readable on what is drawn."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.2, foreground=ground(axes))]


def ground(axes: Axes) -> Any:
    """Return the colour that is drawn on."""
    own: Any = axes.get_facecolor()
    return own if own[3] > 0 else axes.figure.get_facecolor()


def ink(axes: Axes) -> Any:
    """Return the colour of the frame, which is seen on the ground in any style."""
    return axes.spines["bottom"].get_edgecolor()


def is_dark(axes: Axes) -> bool:
    """Return whether the ground is nearer to black than to white."""
    return _luminance(ground(axes)) < MIDDLE


def visible(axes: Axes, colour: Any) -> Any:
    """Return a colour, or that of the frame where it is not seen on the ground."""
    one, other = sorted(_luminance(each) + 0.05 for each in (colour, ground(axes)))
    return colour if other >= LEAST_CONTRAST * one else ink(axes)


def _luminance(colour: Any) -> float:
    """Return the relative luminance of a colour, 0 to 1 (WCAG 2.2)."""
    from matplotlib.colors import to_rgb

    rgb = np.asarray(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _shaded(colour: str, shade: float) -> str:
    rgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], np.float64)
    if colour == BLACK and shade < 0:  # which has no darker one
        shade = 0.35
    to = 255.0 if shade > 0 else 0.0
    mixed = np.rint(rgb + abs(shade) * (to - rgb)).astype(int)
    return "#" + "".join(f"{value:02x}" for value in mixed)
