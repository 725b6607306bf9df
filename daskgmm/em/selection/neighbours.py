"""Starts that a mixture takes from those of the next sizes: components merged, or split.

Few starts often miss what a neighbour found. From the largest size down each hands on its best
with two components merged, and from the smallest up with one split, or one more where rows are
explained worst; whoever gains by it goes on from there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from functools import partial

from daskgmm.em.loop import Fit
from daskgmm.em.selection.holding_out import LogDensities
from daskgmm.em.selection.insertion import inserted
from daskgmm.em.settings import Settings
from daskgmm.em.starts.candidates import (
    FIRST_ITER,
    SHORT_ITER,
    Candidate,
    Part,
    Raced,
    first_share,
    ranked,
)
from daskgmm.em.starts.drawing import Draw
from daskgmm.em.starts.start import with_room
from daskgmm.gaussian.components.merging import merges
from daskgmm.gaussian.components.splitting import splits
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.parameters import Parameters

TRIED, SECOND = 4, 2
"""Pairs to merge, and components to split, that are tried for each size, and what is left of them
after the first iterations."""


@dataclass(frozen=True)
class Trials:
    """Samples that starts of one size and structure are compared on: a part, and the whole."""

    settings: Settings
    small: Part
    whole: Part

    @classmethod
    def of(cls, draw: Draw, settings: Settings) -> Trials:
        """Return the parts of a sample for these settings."""
        share, whole = first_share(settings, draw.m, draw.x.shape[1]), Part.of(draw, 1.0, settings)
        small = whole if share == 1.0 else Part.of(draw, share, settings)
        return cls(settings, small, whole)

    def improved(self, raced: Raced, starts: Sequence[Parameters], seed: int) -> Raced:
        """Return the race with the best of these starts in front, if it beats its own best."""
        if self.settings.equal_weights:
            starts = [start.with_equal_weights() for start in starts]
        survey = self.small.rows.survey
        roomy = [with_room(self.settings, survey, start) for start in starts]
        begun = [Candidate(seed, Fit(Maximised(start))) for start in roomy]
        tried = ranked(self.small.shortened(FIRST_ITER).all_continued(begun))[:SECOND]
        tried = ranked(self.small.shortened(SHORT_ITER - FIRST_ITER).all_continued(tried))
        best = self.small.tried(tried[0]) if tried else None
        if best is None:
            return raced
        if raced.best is not None and self.small is not self.whole:
            own = self.small.tried(raced.best)
            if own is not None and best.rank <= own.rank:
                return raced
        found = best if self.small is self.whole else self.whole.tried(best)
        if found is None or (raced.best is not None and found.rank <= raced.best.rank):
            return raced
        return raced.led_by(found)


Handing = Callable[[Parameters, int], list[Parameters]]
"""Returns starts of the next size from a mixture, at most so many."""


def with_neighbours(
    draw: Draw,
    settings: Sequence[Settings],
    raced: Sequence[Raced],
    targets: Set[int],
    log_densities: LogDensities,
) -> list[Raced]:
    """Return the races of one structure after `targets` have tried what neighbours found."""
    found = list(raced)
    upwards = sorted(range(len(settings)), key=lambda index: settings[index].n_components)
    labelling = settings[0].labelling
    merging = partial(merges, named=0 if labelling is None else labelling.named)
    ways: tuple[tuple[list[int], Handing], ...] = (upwards[::-1], merging), (upwards, splits)
    for order, handing in ways:
        for source, target in itertools.pairwise(order):
            best = found[source].best
            if best is None or target not in targets:
                continue
            size = settings[target].n_components
            near = _next_to(best.fit.step.parameters.without_outliers(), size, handing)
            if near is None:
                continue
            starts = handing(near, TRIED)
            if near.n_components < size:
                x, counts = draw.part()
                new = inserted(near, x, counts, log_densities(near, draw.wide_part(), None))
                starts += [] if new is None else [new]
            trials = Trials.of(draw, settings[target])
            found[target] = trials.improved(found[target], starts, best.seed)
    return found


def _next_to(parameters: Parameters, size: int, handing: Handing) -> Parameters | None:
    """Return a mixture of one component more or less than `size`, handed on one at a time."""
    while abs(parameters.n_components - size) > 1:
        nearest = handing(parameters, 1)
        if not nearest:
            return None
        parameters = nearest[0]
    return parameters
