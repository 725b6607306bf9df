"""Pictures of fitted mixtures, of their rows and of what they say of grids (extra `plot`).

Functions return Axes of Matplotlib; nothing is shown or saved. Rows are never drawn one by one:
they are counted in bins, in one streamed pass, so that there may be any number of them.

>>> from daskgmm import GaussianMixture, plot
>>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0, 0.0], [4.0, 1.0]], [1.0, 2.0])
>>> ax = plot.components(mixture)  # doctest: +SKIP
>>> ax.figure.savefig("components.png")  # doctest: +SKIP
"""

from __future__ import annotations

from daskgmm.drawing.criterion import criterion_curve as criterion
from daskgmm.plot.components import components
from daskgmm.plot.convergence import convergence
from daskgmm.plot.corner import corner
from daskgmm.plot.maps import ambiguity_map, label_map, posterior_map
from daskgmm.plot.merging import merging
from daskgmm.plot.profiles import profiles
from daskgmm.plot.timeline import timeline

__all__ = [
    "ambiguity_map",
    "components",
    "convergence",
    "corner",
    "criterion",
    "label_map",
    "merging",
    "posterior_map",
    "profiles",
    "timeline",
]
