"""The tree in which components were merged to clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.drawing.style import FAINT, SMALL, colours, ink, new_axes, note, outlined, visible
from daskgmm.errors import SettingError
from daskgmm.models.facts.clusters import Merging
from daskgmm.plot.shown import mixture_of
from daskgmm.readers import remedy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NAMED = 24
"""Levels that all have their numbers beside them."""


def merging(mixture: Any, *, n_clusters: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the tree of merges that `merge_components` found, and where it is cut.

    Each level has a cluster less than the one below. At a merge is what the two clusters shared:
    0 % where every row is certainly of one of them, 100 % where rows tell nothing. On the right is
    the mean entropy of the clusters of a level.

    Parameters
    ----------
    mixture : fitted mixture
        After `merge_components`.
    n_clusters : int, optional
        Where to cut the tree; by default where `clusters_` does.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure of pyplot's.

    Returns
    -------
    matplotlib.axes.Axes
        Components along the horizontal axis, numbers of clusters up the vertical one.

    Raises
    ------
    SettingError
        If the components were not merged, there is one alone, or not so many clusters.
    ImportError
        If Matplotlib is missing: pip install 'daskgmm[plot]'.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import GaussianMixture, plot
    >>> mixture = GaussianMixture.from_parameters([0.5, 0.3, 0.2], [[0.0], [1.0], [9.0]], [1] * 3)
    >>> X, _ = mixture.set_params(random_state=0).sample(1000)
    >>> plot.merging(mixture.merge_components(X)).get_xlabel()
    'component'
    """
    own, _ = mixture_of(mixture)
    tree: Merging | None = getattr(own, "merging_", None)
    if tree is None or tree.n_components != len(own.weights_):
        raise SettingError(
            "The mixture has no tree of merges; a model file keeps the clusters and not the tree. "
            f"{remedy('Call mixture.merge_components(X) first', 'Name DATA, to merge by')}."
        )
    if tree.n_components < 2:
        raise SettingError("The mixture has one component, and nothing to merge.")
    cut = 1 + int(own.clusters_.max()) if n_clusters is None else n_clusters
    clusters = tree.clusters(cut)
    axes = new_axes(ax, (max(4.8, 0.42 * tree.n_components + 1.6), 4.4))
    _draw(axes, tree, clusters, cut)
    _label(axes, tree, cut)
    return axes


def order_of(tree: Merging) -> NDArray[np.intp]:
    """Return the components in an order in which no two lines of the tree cross."""
    members = {number: [number] for number in range(tree.n_components)}
    for one, other in tree.merges.tolist():
        members[one] = members[one] + members.pop(other)
    return np.array(members[0], np.intp)


def _draw(axes: Axes, tree: Merging, clusters: NDArray[np.intp], cut: int) -> None:
    k = tree.n_components
    palette = [visible(axes, colour) for colour in colours(cut)]
    place = np.empty(k)
    place[order_of(tree)] = np.arange(k)
    level = np.full(k, k)
    for step, (one, other) in enumerate(tree.merges.tolist(), start=1):
        left = k - step
        below = left >= cut
        colour = palette[clusters[one]] if below else ink(axes)
        for side in (one, other):
            turn = max(left, min(cut, level[side]))  # where the line leaves its cluster
            own = palette[clusters[side]]
            axes.plot([place[side]] * 2, [level[side], turn], color=own, linewidth=1.6)
            axes.plot([place[side]] * 2, [turn, left], color=ink(axes), linewidth=1.2)
        ends = [place[one], place[other]]
        axes.plot(ends, [left, left], color=colour, linewidth=1.6 if below else 1.2)
        place[one] = np.mean(ends)
        level[one] = left
        axes.annotate(
            f"{100 * tree.shared[step - 1]:.0f} %", (place[one], left), xytext=(2.5, 2),
            textcoords="offset points", ha="left", va="bottom", fontsize=SMALL - 0.5,
            path_effects=outlined(axes),
        )  # fmt: skip


def _label(axes: Axes, tree: Merging, cut: int) -> None:
    k = tree.n_components
    order = order_of(tree)
    axes.set_xticks(np.arange(k), [str(number) for number in order])
    axes.set_xlabel("component")
    levels = np.arange(1, k + 1)[:: -(-k // MOST_NAMED)]
    axes.set_ylim(k + 0.25, 0.3)
    axes.set_xlim(-0.6, k - 0.4)
    axes.set_yticks(levels)
    axes.set_ylabel("number of clusters")
    if cut > 1:
        axes.axhline(cut - 0.5, color=FAINT, linewidth=0.9, linestyle=(0, (5, 3)), zorder=0)
    beside = axes.secondary_yaxis("right")
    beside.set_yticks(levels, [f"{tree.entropy[number - 1]:.3f}" for number in levels])
    beside.tick_params(labelsize=SMALL, width=0.6)
    beside.spines["right"].set_linewidth(0.6)
    beside.set_ylabel("mean entropy (nats per row)")
    words = f"cut: {cut} cluster{'' if cut == 1 else 's'}"
    note(axes, [words + (", the elbow" if cut == tree.elbow else f"; the elbow is {tree.elbow}")])
