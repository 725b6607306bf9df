"""Names, notes and legends have room: they do not cover each other, and are not cut off."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.text import Text

from daskgmm import GaussianMixture, GaussianMixtureClassifier, plot
from daskgmm.drawing.style import in_lines

LONG = "a class whose name is longer than all of the others"


@pytest.fixture(scope="module")
def classifier():
    x = np.random.default_rng(0).normal(size=(300, 2))
    names = np.array([LONG, "short", "other"])[np.arange(300) % 3]
    return GaussianMixtureClassifier(2, random_state=0, tol=0.1).fit(x, names)


def extents(figure, artists):
    figure.canvas.draw()
    return [artist.get_window_extent() for artist in artists]


def test_things_that_are_said_go_on_lines_of_their_own_where_there_is_no_room():
    assert in_lines(["first", "", "second", "third"], 18) == "first   second\nthird"
    assert in_lines(["first", "second"], 1) == "first\nsecond"
    assert in_lines(["", ""], 9) == ""


def test_notes_of_neighbours_do_not_meet(mixture, rows, pyplot):
    figure, panels = pyplot.subplots(1, 3, figsize=(9, 4), layout="constrained")
    for panel in panels:
        plot.components(mixture, rows, [0, 1], ax=panel)
    notes = [text for text in figure.findobj(Text) if text.get_text().startswith("ellipses")]
    assert len(notes) == 3
    for left, right in pairwise(sorted(extents(figure, notes), key=lambda box: box.x0)):
        assert left.x1 < right.x0


def test_titles_of_profiles_do_not_meet(classifier):
    panels = plot.profiles(classifier)
    titles = [panel._left_title for panel in panels[:4]]
    assert any("\N{HORIZONTAL ELLIPSIS}" in title.get_text() for title in titles)
    for left, right in pairwise(extents(panels[0].figure, titles)):
        assert left.x1 < right.x0


def test_the_legend_of_a_corner_plot_is_inside(classifier):
    panels = plot.corner(classifier)
    figure = panels[0, 0].figure
    (legend,) = extents(figure, [panels[0, 0].get_legend()])
    assert legend.x1 <= figure.bbox.x1


@pytest.mark.parametrize("features", [2, 4])
def test_a_long_legend_of_a_corner_plot_is_seen_whole(features):
    x = np.random.default_rng(0).normal(size=(120, features))
    mixture = GaussianMixture(10, random_state=0, tol=0.1, covariance_type="diag").fit(x)
    panels = plot.corner(mixture.merge_components(x, n_clusters=10))
    legend = panels[0, 0].get_legend()
    assert len(legend.get_texts()) == 10
    others = [panel for panel in panels.ravel() if panel is not None and panel is not panels[0, 0]]
    assert all(panels[0, 0].get_zorder() > panel.get_zorder() for panel in others)
    (own,) = extents(panels[0, 0].figure, [legend])
    covered = [panel for panel in others if own.overlaps(panel.get_window_extent())]
    assert not covered or features == 2


def test_a_long_legend_is_beside_the_axes():
    x = np.random.default_rng(0).normal(size=(120, 2))
    mixture = GaussianMixture(8, random_state=0, tol=0.1, covariance_type="diag").fit(x)
    axes = plot.components(mixture.merge_components(x, n_clusters=8), x)
    legend, inside, bar = extents(
        axes.figure, [axes.get_legend(), axes, axes.child_axes[0].yaxis.label]
    )
    assert legend.x0 >= max(inside.x1, bar.x1)
    assert legend.x1 <= axes.figure.bbox.x1


def test_the_only_feature_has_a_band_that_is_seen():
    mixture = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [1.0, 2.0])
    panel = plot.profiles(mixture)[0]
    band = panel.collections[0].get_datalim(panel.transData)
    assert band.width > 0.1
    assert panel.figure.get_supxlabel() == "feature"


@pytest.mark.parametrize(("shape", "count"), [((40, 200), 12), ((40, 60), 40)])
def test_numbers_beside_a_map_do_not_cover_each_other(shape, count):
    labels = np.arange(np.prod(shape)).reshape(shape) % count
    axes = plot.label_map(labels)
    texts = [text for text in axes.child_axes[0].get_yticklabels() if text.get_text()]
    assert len(texts) > 3
    boxes = sorted(extents(axes.figure, texts), key=lambda box: box.y0)
    for below, above in pairwise(boxes):
        assert below.y1 <= above.y0 + 1.0
