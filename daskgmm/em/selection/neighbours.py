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

from daskgmm.arrays import Array
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.selection.comparing import are_same, is_clearly_better
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
    """Samples that starts of one size and structure are compared on: a part, and the whole.

    `densities` are those of rows of the part, with the sum of `shares` 1.
    """

    settings: Settings
    small: Part
    whole: Part
    densities: Callable[[Parameters], Array]
    shares: Array

    @classmethod
    def of(cls, draw: Draw, settings: Settings, log_densities: LogDensities) -> Trials:
        """Return the parts of a sample for these settings."""
        share, whole = first_share(settings, draw.m, draw.x.shape[1]), Part.of(draw, 1.0, settings)
        small = whole if share == 1.0 else Part.of(draw, share, settings)

        def densities(parameters: Parameters) -> Array:
            return log_densities(parameters, draw.wide_part(share), draw.beside_part(share).labels)

        _, counts = draw.part(share)
        return cls(settings, small, whole, densities, counts / counts.sum())

    def improved(self, raced: Raced, starts: Sequence[Parameters], seed: int) -> Raced:
        """Return the race with the best of these starts in front, if it beats its own best."""
        if self.settings.equal_weights:
            starts = [start.with_equal_weights() for start in starts]
        survey = self.small.rows.survey
        roomy = [with_room(self.settings, survey, start) for start in starts]
        begun = [Candidate(seed, Fit(Maximised(start))) for start in roomy]
        tried = ranked(self.small.shortened(FIRST_ITER).all_continued(begun))[:SECOND]
        tried = ranked(self.small.shortened(SHORT_ITER - FIRST_ITER).all_continued(tried))
        found = self._driven(tried, raced.best)
        if found is None or (raced.best is not None and found.rank <= raced.best.rank):
            return raced
        return raced.led_by(found)

    def _driven(self, tried: Sequence[Candidate], leader: Candidate | None) -> Candidate | None:
        """Return the best of these candidates, fitted to the whole sample; None if there is none.

        The part decides only that one is the leader's own maximum, or clearly worse: which of
        two maxima is the better one of all rows a few thousand rows seldom tell.
        """
        if self.small is self.whole:
            return self.small.tried(tried[0]) if tried else None
        driven = ranked(self.small.all_continued(tried))
        own = None if leader is None else self.small.tried(leader)
        if own is not None:
            driven = self._others(driven, own)
        return self.whole.tried(driven[0]) if driven else None

    def _others(self, found: Sequence[Candidate], own: Candidate) -> list[Candidate]:
        """Return the candidates that are other maxima than `own`, and may be better."""
        sound = [each for each in found if each.degenerate <= own.degenerate]
        density = self.densities(own.fit.step.parameters)
        return [each for each in sound if self._may_be_better(each, density, own.degenerate)]

    def _may_be_better(self, candidate: Candidate, own: Array, degenerate: int) -> bool:
        if candidate.degenerate < degenerate:
            return True
        density = self.densities(candidate.fit.step.parameters)
        is_worse = is_clearly_better(own, density, self.shares)
        return not is_worse and not are_same(own, density, self.shares)


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
                densities = log_densities(near, draw.wide_part(), None)
                new = inserted(near, x, counts, densities, settings[target].reg_covar)
                starts += [] if new is None else [new]
            trials = Trials.of(draw, settings[target], log_densities)
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
