"""Notes and titles apart, and lines that are seen on any ground."""

import numpy as np
import pytest

from daskgmm import GaussianMixture, plot
from daskgmm.drawing.style import BLACK, SKY, ground, ink, is_dark, new_axes, note, visible
from tests.plot.notes import note_of


@pytest.mark.parametrize("place", ["left", "center", "right"])
def test_a_title_stands_above_the_note(place):
    axes = new_axes()
    note(axes, ["what marks mean", "", "and that at some length"])
    title = axes.set_title("A long title that covers all of the width of the picture", loc=place)
    axes.figure.draw_without_rendering()
    (said,) = axes.child_axes[0].texts
    assert note_of(axes) == "what marks mean   and that at some length"
    assert title.get_window_extent().y0 >= said.get_window_extent().y1
    assert said.get_window_extent().y0 > axes.get_window_extent().y1
    assert title.get_window_extent().y1 <= axes.figure.bbox.y1


def test_of_nothing_there_is_no_note():
    axes = new_axes()
    note(axes, ["", ""])
    assert note_of(axes) == ""
    assert not axes.child_axes


def test_what_is_not_seen_has_the_colour_of_the_frame():
    from matplotlib import pyplot
    from matplotlib.colors import to_hex

    axes = new_axes()
    assert (visible(axes, BLACK), is_dark(axes)) == (BLACK, False)
    with pyplot.style.context("dark_background"):
        dark = new_axes()
    assert is_dark(dark)
    assert to_hex(visible(dark, BLACK)) == "#ffffff"
    assert visible(dark, SKY) == SKY
    dark.set_facecolor("none")
    assert to_hex(ground(dark)) == "#000000"


def test_a_tree_of_merges_is_seen_on_a_dark_ground(rows):
    from matplotlib import pyplot
    from matplotlib.colors import to_hex

    X = np.random.default_rng(0).normal(size=(300, 1)) + 6 * (np.arange(300) % 3)[:, None]
    merged = GaussianMixture(3, random_state=0, init_params="k-means++").fit(X).merge_components(X)
    with pyplot.style.context("dark_background"):
        axes = plot.merging(merged)
    drawn = {to_hex(line.get_color()) for line in axes.lines}
    assert "#000000" not in drawn
    assert to_hex(ink(axes)) in drawn


def test_rounding_is_no_progress():
    """Differences of 1e-12 do not fill the picture."""
    X = np.random.default_rng(0).normal(size=(200, 1))
    mixture = GaussianMixture(1, acceleration=None, max_iter=3, tol=1e-13).fit(X)
    low, high = plot.convergence(mixture).get_ylim()
    assert np.ptp(mixture.lower_bounds_) < 1e-10
    assert high - low > 1e-7
