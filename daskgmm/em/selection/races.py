"""The starts of all sizes and structures of a sweep, on the sample: more where it may matter.

First each has the starts that were asked for, and what its neighbours found. Those that are not
clearly beaten then get as many more as are cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from daskgmm.counting import counted
from daskgmm.em.selection.comparing import Compared
from daskgmm.em.selection.exchange import Exchanges
from daskgmm.em.selection.fit_alone import fit_alone
from daskgmm.em.selection.holding_out import Groups, LogDensities
from daskgmm.em.selection.neighbours import with_neighbours
from daskgmm.em.settings import Settings
from daskgmm.em.starts.candidates import (
    NOISE_SHARE,
    TOGETHER,
    Candidate,
    Raced,
    ended_alike,
    noise_of,
    race,
    ranked,
    starts_worth,
)
from daskgmm.em.starts.drawing import Draw
from daskgmm.em.survey.sample import Starts

CHEAP_SECONDS, CHEAP_SECONDS_OF_ALL, MANY = 1.0, 4.0, 6
"""Those that may win get up to so many times the starts asked for, where they take no longer: each
of them, and all of them together."""

EXCHANGE_SECONDS = 8.0
"""Estimated time of the exchanges of components, of all that may win together."""

FROM_LARGEST = 16
"""Starts of the most components of each structure where components are exchanged: fewer components
are merged from these, so that all sizes gain by them."""

LARGEST_SEED = int(np.iinfo(np.int32).max)


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """A comparison to make.

    Attributes
    ----------
    settings : tuple of Settings
        One for each number of components and structure.
    seeds : tuple of int
        One for each start that was asked for.
    sample_seed : int
    random : numpy.random.RandomState
        The generator of the sweep before `sample_seed` and `seeds` were drawn from it: a fit of
        the same random state has it.
    log_densities : callable
    groups : Groups or None
    weights_are : str or None
        What n is in criteria, as `Weighing.counted`.
    """

    settings: tuple[Settings, ...]
    seeds: tuple[int, ...]
    sample_seed: int
    random: np.random.RandomState
    log_densities: LogDensities
    groups: Groups | None = None
    weights_are: str | None = None

    @property
    def sizes(self) -> list[int]:
        """The numbers of components, in their order."""
        return sorted({settings.n_components for settings in self.settings})

    def more_seeds(
        self, settings: Settings, draw: Draw, most: int, sharing: int, seconds: float
    ) -> list[int]:
        """Return at most so many seeds beyond those asked for, as many as are cheap.

        So many models share the time, `CHEAP_SECONDS_OF_ALL` or a few passes over all rows; the
        starts of one take at most `seconds` of it.
        """
        if settings.n_components == 1 or most < 1:
            return []  # all starts of one component end alike
        n, d = draw.rows // sharing, draw.x.shape[1]
        seconds = min(seconds, CHEAP_SECONDS_OF_ALL / sharing)
        count = starts_worth(settings, draw.m, n, d, most, seconds)
        more = np.random.RandomState(self.seeds[0]).randint(LARGEST_SEED, size=count)
        return list(map(int, more))


def most_together(settings: Settings, starts: Starts, d: int, n: int | None) -> int:
    """Return how many starts in d features advance together at most, of one size and structure."""
    rows = starts.rows if n is None else n
    cheap = starts_worth(settings, starts.rows, rows, d, FROM_LARGEST, CHEAP_SECONDS_OF_ALL)
    return max(1, settings.n_init) + cheap


def race_all(
    draw: Draw, request: SweepRequest, counts: tuple[float, float], pool: Executor
) -> list[Raced]:
    """Return the starts of each size and structure, compared on the sample.

    `counts` are n and `told`, as of `Compared`.
    """
    races = _Races(draw, request, pool)
    raced = races.with_neighbours(races.asked(), range(len(request.settings)))
    usable = [index for index, each in enumerate(raced) if each.candidates]
    if not usable:
        return raced
    settings = [request.settings[index] for index in usable]
    found = leaders([raced[index] for index in usable])
    going = Compared.of(draw, counts, request.log_densities, settings, found).not_beaten()
    contenders = [index for index, goes_on in zip(usable, going, strict=True) if goes_on]
    more = races.with_more(raced, contenders)
    changed = [index for index in contenders if more[index].best is not raced[index].best]
    if not changed:
        return more
    beside = neighbours_of(request.settings, changed)
    return races.with_neighbours(more, sorted({*contenders, *beside}))


def neighbours_of(settings: Sequence[Settings], places: Sequence[int]) -> set[int]:
    """Return the places of the next smaller and larger sizes of the same structure.

    What a size finds late may be what its beaten neighbour missed.
    """
    found = set()
    for place in places:
        alike = [
            i for i, each in enumerate(settings) if each.structure == settings[place].structure
        ]
        alike.sort(key=lambda index: settings[index].n_components)
        at = alike.index(place)
        found |= {*alike[max(0, at - 1) : at], *alike[at + 1 : at + 2]}
    return found


def leaders(raced: Sequence[Raced]) -> list[Candidate]:
    """Return the best candidate of each race, none of which is without."""
    return [each.candidates[0] for each in raced]


def led_by(raced: Raced, found: Sequence[Candidate], alike: float) -> Raced:
    """Return the race with these candidates in front, in their order.

    It stays as it is if the first one is not better by more than a difference in nats per row:
    those that go on may collapse, or have a component on the floor that had none there before.
    """
    if raced.best is None or not found or found[0].rank <= raced.best.rank:
        return raced
    if ended_alike((raced.best, found[0]), alike):
        return raced
    for each in reversed(found):
        raced = raced.led_by(each)
    return raced


@dataclass(frozen=True)
class _Races:
    draw: Draw
    request: SweepRequest
    pool: Executor

    def asked(self) -> list[Raced]:
        """Return the races of the starts that were asked for."""
        return list(self.pool.map(self._asked, self.request.settings))

    def _asked(self, settings: Settings) -> Raced:
        if settings.n_components > self.draw.rows:
            return Raced((), f"X has {counted(self.draw.rows, 'row')}: fewer than components.")
        beside = self._beside(settings)
        return self._race(settings, [*self.request.seeds, *beside], early=bool(beside))

    def _beside(self, settings: Settings) -> list[int]:
        """Return seeds of more starts, if it is the largest of several sizes of its structure."""
        request = self.request
        alike = [each for each in request.settings if each.structure == settings.structure]
        if len(alike) < 2 or settings is not max(alike, key=lambda each: each.n_components):
            return []
        sharing = len({each.structure for each in request.settings})
        exchanges = Exchanges(self.draw, settings, request.log_densities)
        if not exchanges.worth(EXCHANGE_SECONDS / sharing):
            return []
        most = FROM_LARGEST - len(request.seeds)
        return request.more_seeds(settings, self.draw, most, sharing, CHEAP_SECONDS_OF_ALL)

    def _race(self, settings: Settings, seeds: Sequence[int], *, early: bool = False) -> Raced:
        try:
            best, others = race(
                self.draw, settings, seeds, finalists=1, thorough=False, early=early
            )
        except ValueError as error:
            return Raced((), str(error))
        return Raced((*best, *others))

    def with_more(self, raced: Sequence[Raced], contenders: Sequence[int]) -> list[Raced]:
        """Return the races with more starts of some."""

        def more(index: int) -> Raced:
            return self._more(self.request.settings[index], raced[index], len(contenders))

        found = list(raced)
        for index, one in zip(contenders, self.pool.map(more, contenders), strict=True):
            found[index] = one
        return found

    def _more(self, settings: Settings, raced: Raced, contenders: int) -> Raced:
        """Return a race with what a fit and exchanges of components find, or else more starts.

        These are more at a time until their best ends as well as that of the race.
        """
        random = deepcopy(self.request.random)
        own = fit_alone(self.draw, settings, self.request.sample_seed, random)
        if own is not None:
            raced = raced.joined(Raced((own,)))
        alike = 2 * NOISE_SHARE * noise_of(settings, self.draw.m, self.draw.x.shape[1])
        exchanges = Exchanges(self.draw, settings, self.request.log_densities)
        if rounds := exchanges.worth(EXCHANGE_SECONDS / contenders):
            found = ranked(exchanges.of_best(raced.candidates, rounds))
            return led_by(raced, found, alike)
        if own is not None:
            return raced
        most = MANY * len(self.request.seeds)
        seeds = self.request.more_seeds(settings, self.draw, most, contenders, CHEAP_SECONDS)
        for first in range(0, len(seeds), TOGETHER):
            other = self._race(settings, seeds[first : first + TOGETHER])
            before, raced = raced, raced.joined(other)
            if ended_alike((before.best, other.best), alike):
                break
        return raced

    def with_neighbours(self, raced: Sequence[Raced], targets: Sequence[int]) -> list[Raced]:
        """Return the races with what those of `targets` gain by neighbours of their structure."""
        kinds: dict[str, list[int]] = {}
        for index, each in enumerate(self.request.settings):
            if each.n_components <= self.draw.rows:
                kinds.setdefault(each.structure, []).append(index)

        def improved(indices: list[int]) -> list[Raced]:
            settings = [self.request.settings[index] for index in indices]
            chosen = {place for place, index in enumerate(indices) if index in set(targets)}
            of_kind = [raced[index] for index in indices]
            densities = self.request.log_densities
            return with_neighbours(self.draw, settings, of_kind, chosen, densities)

        found = list(raced)
        of_kinds = list(kinds.values())
        for indices, races in zip(of_kinds, self.pool.map(improved, of_kinds), strict=True):
            for index, race_of_one in zip(indices, races, strict=True):
                found[index] = race_of_one
        return found
