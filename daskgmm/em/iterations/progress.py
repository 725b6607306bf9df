"""How far the iterations from one start have come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from daskgmm.em.acceleration.search import Search, without_points
from daskgmm.em.events import Iterated
from daskgmm.em.settings import Settings
from daskgmm.em.survey.survey import Survey
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.truncation.cells import Cells


@dataclass(frozen=True, slots=True)
class Fit:
    """Progress of the iterations from one start.

    Attributes
    ----------
    step : Maximised
        The M-step after the best pass, or the start: the parameters, and what is wrong with
        them.
    iterations : tuple of Iterated
    converged : bool
    search : Search or None
        What acceleration knows; None for plain EM, and before the first pass.
    revived : bool
        Whether components that died were given rows once: a second time they stay dead.
    cells : Cells or None
        The candidates of rows in each of the cells, of a truncated mixture.
    """

    step: Maximised
    iterations: tuple[Iterated, ...] = ()
    converged: bool = False
    search: Search | None = None
    revived: bool = False
    cells: Cells | None = None

    @property
    def proposal(self) -> Parameters:
        """Parameters that the next pass evaluates."""
        return self.step.parameters if self.search is None else self.search.proposal

    @property
    def gap(self) -> float:
        """The increase that is predicted to be left, in nats per row; nan if nothing tells."""
        return math.nan if self.search is None else self.search.gap

    @property
    def lower_bound(self) -> float:
        """The last lower bound; minus infinity if there was no iteration."""
        return self.iterations[-1].lower_bound if self.iterations else -math.inf

    def without_points(self) -> Fit:
        """Return the fit without what only further steps of acceleration need."""
        if self.search is None:
            return self
        return replace(self, search=without_points(self.search, self.step.parameters))

    def ended(self, max_iter: int) -> bool:
        """Return whether nothing is left to do."""
        return self.converged or len(self.iterations) >= max_iter


def best_of(fits: Sequence[Fit], survey: Survey, settings: Settings) -> Fit:
    """Return the fit of the highest lower bound among those with fewest degenerate components."""
    return max(
        fits, key=lambda fit: (-survey.n_degenerate(fit.step, settings.reg_covar), fit.lower_bound)
    )
