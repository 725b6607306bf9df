"""The E-step over all rows: one pass, and the moments of each of several mixtures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import add

import numpy as np

from daskgmm.em.events import PassEnded
from daskgmm.em.passing import Pass, run_pass
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.survey import Survey, TrainingSet
from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.deconvolution.kernel import RowNoiseKernel, row_noise_moments
from daskgmm.gaussian.deconvolution.shared import SharedNoiseKernel, shared_noise_moments
from daskgmm.gaussian.kernels.backend import Backend, MomentsOfPass
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.missing.kernel import MarginalKernel, marginal_moments
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.outliers import joined
from daskgmm.gaussian.truncation.kernel import TruncatedKernel, truncated_moments
from daskgmm.passes.batches import Batch
from daskgmm.passes.configuration import backend

OF_MORE_THAN_TILES: Mapping[type[Kernel], Callable[..., list[Moments]]] = {
    MarginalKernel: marginal_moments,
    RowNoiseKernel: row_noise_moments,
    SharedNoiseKernel: shared_noise_moments,
    TruncatedKernel: truncated_moments,
}
"""What takes the moments of kernels that need more than tiles of plain rows. What rows have beside
them decides it, or candidates do: all kernels of a pass are of one of these kinds, or none is."""


@dataclass(frozen=True, slots=True)
class ManyMoments:
    """The moments of the same rows under several mixtures."""

    parts: tuple[Moments, ...]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.parts[0].rows

    def __add__(self, other: ManyMoments) -> ManyMoments:
        """Return the moments of both sets of rows."""
        return ManyMoments(tuple(map(add, self.parts, other.parts)))


@dataclass(frozen=True, slots=True)
class ExpectationWork:
    """The E-step of each batch of a pass, with a kernel for each mixture."""

    kernels: tuple[Kernel, ...]
    backend: Backend
    _plain: MomentsOfPass = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Let the back end keep what its batches share."""
        object.__setattr__(self, "_plain", self.backend.of_pass(self.kernels))

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> ManyMoments:
        """Return the moments of the batch."""
        moments = OF_MORE_THAN_TILES.get(type(self.kernels[0]))
        if moments is not None:
            return ManyMoments(tuple(moments(self.backend, self.kernels, blocks, batch.rows)))
        return ManyMoments(tuple(self._plain(blocks, batch.rows)))


def expect(
    rows: TrainingSet, kernels: Sequence[Kernel], number: int = 1
) -> tuple[list[Moments], PassEnded]:
    """Return the expected sufficient statistics of all rows under the mixture of each kernel.

    `number` is that of the iteration, for the names of the tasks.
    """
    nbytes = sum(8 * int(np.prod(kernel.shape[:2])) for kernel in kernels)
    work = ExpectationWork(tuple(kernels), backend())
    asked = Pass("expectation", work, add, nbytes, f"iteration-{number}")
    many, ended = run_pass(rows.data, asked, rows.listen)
    pairs = zip(kernels, many.parts, strict=True)
    return [checked(rows, completed(*pair, rows.survey)) for pair in pairs], ended


def checked(training: TrainingSet, moments: Moments) -> Moments:
    """Return the moments; raise `DataError` if these are not of the rows surveyed."""
    survey = training.survey
    if moments.rows == survey.rows and not np.isfinite(moments.log_likelihood):
        # A bad value that was not there before, as after a resume: this pass names it.
        survey_rows(training.data, None, training.listen)
        raise DataError(
            f"The log-likelihood of this pass is {moments.log_likelihood}: a density or a "
            "weight overflowed. Rescale the columns and the weights."
        )
    if moments.rows != survey.rows:
        raise DataError(
            f"This pass read {moments.rows} rows with a log-likelihood of "
            f"{moments.log_likelihood}; the first pass read {survey.rows} finite rows. "
            "The data have changed while they were read: write them elsewhere, or wait."
        )
    return moments


def completed(kernel: Kernel, moments: Moments, survey: Survey) -> Moments:
    """Return moments with what all components share, which the survey has for all passes."""
    if kernel.n_tail_sums and moments.tail is None:
        raise DataError(
            "The back end (daskgmm.backend) returned no sums of tails: it takes Gaussian "
            "components alone. Set tails=None, or daskgmm.backend to 'numpy'."
        )
    if kernel.outliers_of is not None:
        moments = joined(moments, kernel.outliers_of)
    kernel = kernel.whole if isinstance(kernel, TruncatedKernel) else kernel
    if not (isinstance(kernel, NaturalKernel) and kernel.leaves_out):
        return moments
    form, d = kernel.structure.precision, len(survey.scatter)
    (precision,) = form.matrices(form.precisions(kernel.factors), d)
    return replace(
        moments,
        pooled=survey.scatter,
        log_likelihood=moments.log_likelihood - 0.5 * float(np.sum(precision * survey.scatter)),
    )
