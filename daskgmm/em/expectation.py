"""The E-step over all rows: one pass, one set of statistics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from daskgmm.em.events import Listener, PassEnded
from daskgmm.em.passing import run_pass
from daskgmm.em.survey import Survey, survey_rows
from daskgmm.errors import DataError
from daskgmm.gaussian.guard import choose_kernel
from daskgmm.gaussian.kernel import Expectation, Kernel
from daskgmm.gaussian.natural import NaturalKernel
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.statistics import Statistics, merge
from daskgmm.gaussian.whitened import WhitenedKernel
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.tiles import Block, fill_tiles

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ExpectationWork:
    """The E-step of one batch."""

    kernel: Kernel

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Statistics:
        """Return the statistics of the batch."""
        with self.kernel.workspace(batch.rows) as work:
            step = Expectation(self.kernel, work)
            for b, weighted in fill_tiles(blocks, self.kernel.center, step.rows, step.weights):
                step.add(b, weighted)
            return step.statistics()


def expect(
    data: Dataset,
    parameters: Parameters,
    survey: Survey,
    listen: Listener,
    number: int = 1,
    reference: Array | None = None,
    noise: float = 0.0,
) -> tuple[Statistics, PassEnded]:
    """Return the expected sufficient statistics of all rows under the parameters.

    Parameters
    ----------
    number : int
        Of the iteration, for the names of the tasks.
    reference : ndarray of shape (k, d), optional
        Points to take the moments about, in the slower kernel that can.
    noise : float
        As in `kernel.Kernel`.

    Raises
    ------
    DataError
        If the rows have changed since the survey, or a density overflows.
    """
    if reference is None:
        kernel = choose_kernel(parameters, survey.mean, survey.half_range, noise)
    else:
        kernel = WhitenedKernel.of(parameters, reference, noise)
    p, k, _ = kernel.shape
    work, name = ExpectationWork(kernel), f"daskgmm-iteration-{number}"
    statistics, ended = run_pass(data, "expectation", work, merge, listen, name, 8 * p * k)
    if isinstance(kernel, NaturalKernel) and kernel.structure.statistic.pools:
        statistics = complete(kernel, statistics, survey)
    return checked(data, statistics, survey, listen), ended


def checked(data: Dataset, statistics: Statistics, survey: Survey, listen: Listener) -> Statistics:
    """Return the statistics; raise `DataError` if these are not of the rows surveyed."""
    if statistics.rows == survey.rows and not np.isfinite(statistics.log_likelihood):
        # A bad value that was not there before, as after a resume: this pass names it.
        survey_rows(data, None, listen)
        raise DataError(
            f"The log-likelihood of this pass is {statistics.log_likelihood}: a density or a "
            "weight overflowed. Rescale the columns and the weights."
        )
    if statistics.rows != survey.rows:
        raise DataError(
            f"This pass read {statistics.rows} rows with a log-likelihood of "
            f"{statistics.log_likelihood}; the first pass read {survey.rows} finite rows. "
            "The data have changed while they were read: write them elsewhere, or wait."
        )
    return statistics


def complete(kernel: NaturalKernel, statistics: Statistics, survey: Survey) -> Statistics:
    """Add what all components share: the survey has its second moment, once for all passes."""
    form, d = kernel.structure.precision, len(survey.scatter)
    (precision,) = form.matrices(form.precisions(kernel.factors), d)
    return replace(
        statistics,
        pooled=survey.scatter,
        log_likelihood=statistics.log_likelihood - 0.5 * float(np.sum(precision * survey.scatter)),
    )
