"""One pass for the proposals of one or more fits: statistics, M-steps, objectives."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.events import Iterated
from daskgmm.em.expectation import expect
from daskgmm.em.iterations.precision import LOWERED, may_be_single
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.models.choice import model_of
from daskgmm.em.models.model import Model
from daskgmm.em.settings import Settings
from daskgmm.em.survey.survey import TrainingSet
from daskgmm.gaussian.charts.chart import ChartAt
from daskgmm.gaussian.kernels.choice import counted_together
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.single import SingleKernel
from daskgmm.gaussian.m_step import IllDefinedError, Maximised, means_of
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.passes.configuration import backend


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Result of one pass: the M-step from its parameters, and its record.

    `em` is where a step along the gradient leads to (`Maximised.em`), `shares` (3, k) are those of
    `Point`, and the last three are of the model.
    """

    parameters: Parameters
    step: Maximised
    em: Parameters
    shares: Array
    iterated: Iterated
    chart_at: ChartAt | None
    is_free: bool
    tolerance_unit: float


def evaluate(
    rows: TrainingSet,
    fits: Sequence[Fit],
    settings: Sequence[Settings],
    riding: Collection[int] = (),
) -> list[Evaluated | IllDefinedError]:
    """Return what one pass finds for the proposals of several fits, or why an M-step fails.

    An M-step that loses its digits is made again after a pass of its own; of the fits at the places
    `riding` it fails instead.
    """
    began, old = time.perf_counter(), [fit.proposal for fit in fits]
    models = [model_of(chosen, rows.survey) for chosen in settings]
    number, kernels = 1 + max(len(fit.iterations) for fit in fits), _kernels(fits, settings, models)
    many, ended = expect(rows, kernels, number)
    found: list[Evaluated | IllDefinedError] = []
    for place, (fit, model, parameters, moments) in enumerate(
        zip(fits, models, old, many, strict=True)
    ):
        number, nbytes = 1 + len(fit.iterations), ended.nbytes
        single = isinstance(kernels[place], SingleKernel)
        step, points = _attempted(model, moments, parameters, single)
        if points is not None and place in riding:
            found.append(IllDefinedError("The M-step needs a pass of its own."))
            continue
        if points is not None:
            # Once more, about the new means: the next pass would begin from noise.
            single = False
            kernel = model.kernel_about(parameters, points)
            if fit.cells is not None:
                kernel = model.truncated(kernel, parameters, fit.cells, step)
            (moments,), again = expect(rows, [kernel], number)
            nbytes += again.nbytes
            try:
                step = model.step(model.complete(moments), parameters)
            except IllDefinedError as error:
                found.append(error)
                continue
        assert step is not None, "the M-step succeeds, or is tried about other points"
        bound, seconds = model.objective(moments, parameters), time.perf_counter() - began
        record = Iterated(
            iteration=number,
            lower_bound=bound - LOWERED if single else bound,
            in_float32=single,
            left_out=_left_out(moments),
            rows=moments.rows,
            seconds=seconds,
            nbytes=nbytes,
            peak_memory=ended.peak_memory,
        )
        found.append(_evaluated(model, parameters, step, moments, record))
    return found


def _evaluated(
    model: Model, parameters: Parameters, step: Maximised, moments: Moments, record: Iterated
) -> Evaluated:
    """Return what a pass at parameters found, with what its model tells."""
    chart_at = model.chart_at if model.has_chart else None
    em, step = step.em or step.parameters, replace(step, em=None)
    own = step, em, _shares(model.complete(moments)), record
    of_model = chart_at, model.is_free, model.tolerance_unit
    return Evaluated(parameters, *own, *of_model)


def _kernels(
    fits: Sequence[Fit], settings: Sequence[Settings], models: Sequence[Model]
) -> list[Kernel]:
    """Return the densities of the proposals of fits, in float32 where the pass may be."""
    proposals, shares = [fit.proposal for fit in fits], backend().shares_products
    together, found = counted_together(proposals, share_products=shares), list[Kernel]()
    for fit, chosen, model, components in zip(fits, settings, models, together, strict=True):
        kernel = model.kernel(fit.proposal, components)
        single = may_be_single(fit.iterations, chosen)
        kernel = model.in_single(kernel, fit.proposal) if single else kernel
        if fit.cells is not None:
            kernel = model.truncated(kernel, fit.proposal, fit.cells, None)
        found.append(kernel)
    return found


def _left_out(moments: Moments) -> float:
    """Return what candidates leave out of a log density, in nats per row; nan if none was told."""
    missed, weight = (0.0, 0.0) if moments.left_out is None else moments.left_out.tolist()
    return missed / weight if weight else math.nan


def _shares(complete: Moments) -> Array:
    """Return the three counts of each component over the weight of the rows, (3, k)."""
    counts = complete.counts, complete.mean_counts, complete.scale_counts
    return np.stack(counts) / complete.weight


def _attempted(
    model: Model, moments: Moments, parameters: Parameters, single: bool
) -> tuple[Maximised | None, Array | None]:
    """Return the M-step, if it succeeds, and its means where its covariances are rounding."""
    complete = model.complete(moments)
    try:
        step = model.step(complete, parameters)
    except IllDefinedError:
        return None, means_of(complete, parameters)
    return step, step.parameters.means if model.loses_digits(step, complete, single) else None
