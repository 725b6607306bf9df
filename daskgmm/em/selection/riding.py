"""Models that were clearly beaten on the sample, in the passes that are made for others.

A fit to m rows loses p / 2m nats per row for its p parameters, and a sample has 150 rows for each
of the largest model: a model of nearly that size, left there, is 0.003 nats below its best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from daskgmm.em.selection.state import Model
from daskgmm.em.survey.survey import Survey
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.passes.batches import seconds_per_row

RIDING_SECONDS, USUAL_PASSES = 2.0, 10
"""Estimated time for which all of them take part, and the passes that it is estimated for."""


def with_riding(models: Sequence[Model], survey: Survey, sample_rows: int) -> list[Model]:
    """Return the models; those that were beaten ride if that is cheap and the sample a part.

    Of each size and structure that is the best start. Where rows have noise of their own none does:
    the time of their E-steps is not estimated.
    """
    if sample_rows >= survey.weighed_rows or survey.is_noisy:
        return list(models)
    first = {model.settings: index for index, model in reversed(list(enumerate(models)))}
    beaten = {index for index in first.values() if not models[index].on_all_rows}
    d = len(survey.scatter)
    seconds = USUAL_PASSES * survey.rows * sum(_seconds_per_row(models[i], d) for i in beaten)
    if seconds > RIDING_SECONDS:
        return list(models)
    return [
        replace(model, rides=True) if index in beaten else model
        for index, model in enumerate(models)
    ]


def _seconds_per_row(model: Model, d: int) -> float:
    structure = STRUCTURES[model.settings.structure]
    return seconds_per_row(model.settings.n_columns, structure.n_statistics(d))
