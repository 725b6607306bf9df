"""The start of a truncated mixture: clusters within regions, which takes no time of all pairs."""

from __future__ import annotations

import numpy as np

from daskgmm.em.cells import cells_about, thinned, with_candidates
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.models.choice import model_of
from daskgmm.em.nested_clusters import means_of, nested_clusters
from daskgmm.em.settings import Settings
from daskgmm.em.starts.start import Initial, start
from daskgmm.em.survey.survey import Survey
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.truncation.anchors import grouped
from daskgmm.gaussian.truncation.cells import Cells


def truncated_start(
    survey: Survey,
    settings: Settings,
    initial: Initial,
    random: np.random.RandomState,
    going_on: Maximised | None = None,
) -> Fit:
    """Return a start with its cells, from the survey's sample; `initial` is complete or empty.

    `going_on` is where an earlier fit ended, which takes the place of a start.
    """
    sample, k, m = survey.sample, settings.n_components, settings.n_candidates
    assert sample is not None, "starts have a sample"
    assert m is not None, "the mixture is truncated"
    cells = cells_about(sample, survey, k, m, random)
    if going_on is not None:
        step = going_on
    elif initial.complete:
        step = start(survey, settings, initial, random)
    else:
        step = _nested(survey, settings, cells, random)
    model = model_of(settings, survey)
    return Fit(step, cells=with_candidates(cells, sample, model, step.parameters, m))


def _nested(
    survey: Survey, settings: Settings, cells: Cells, random: np.random.RandomState
) -> Maximised:
    """Return the start of clusters within regions.

    Those of a region begin with one covariance, as a cluster may have fewer rows than columns.
    """
    assert survey.sample is not None, "starts have a sample"
    structure, k, d = STRUCTURES[settings.structure], settings.n_components, len(survey.shift)
    x, given = thinned(survey.sample, len(survey.sample.x))
    z, weights = (x - cells.origin) / cells.scales, np.ones(len(x)) if given is None else given
    anchors = nested_clusters(z, given, k, random)
    labels = anchors.nearest(z)
    points = cells.origin + cells.scales * anchors.points
    # Clusters that no row is left for are components without rows, at the mean of all.
    means = np.tile(survey.mean, (k, 1))
    means[: len(points)] = means_of(x, given, labels, points)
    sums = np.zeros((structure.n_statistics(d), k))
    sums[0] = np.bincount(labels, weights, k)
    pooled = np.zeros((d, d)) if structure.statistic.pools else None
    regions = np.searchsorted(anchors.first, labels, side="right") - 1
    for region, rows in grouped(regions, len(anchors.centers)):
        difference = (x[rows] - means[labels[rows]]).T
        second = structure.statistic.second_moment(difference, weights[rows])
        if pooled is not None:
            pooled += second
            continue
        own = slice(anchors.first[region], anchors.first[region + 1])
        sums[1 + d :, own] = second[:, None] * (sums[0, own] / sums[0, own].sum())
    model, total = model_of(settings, survey), float(weights.sum())
    return model.begin(model.complete(Moments(sums, means, pooled, 0.0, total, len(x))))
