"""The best of several starts, found on a sample in memory: they cost no pass over the data."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.companions import ALONE, Companions
from daskgmm.em.events import silence
from daskgmm.em.iterations.evaluation import Evaluated, evaluate
from daskgmm.em.iterations.loop import iterate, iterate_together
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.models.robust_model import TRUSTED_SHARE, RobustModel
from daskgmm.em.settings import GAP_SHARE, Settings
from daskgmm.em.starts.clustering import Metric, metric_of
from daskgmm.em.starts.drawing import Draw
from daskgmm.em.starts.start import Initial, start
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.sample import Sample
from daskgmm.em.survey.survey import FILLING_SEED, TrainingSet
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.names import FLOAT64
from daskgmm.passes.batches import seconds_per_row
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.transform import Transform
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.companions.weights import weights_for
from daskgmm.rows.rows import Rows

FINALISTS = 2
"""Candidates that are compared on all rows."""

FIRST_SHARE = 1 / 8
"""Part of the sample that all candidates begin on; it doubles as they are halved."""

FIRST_ROWS_PER_PARAMETER, FIRST_ROWS = 8, 2000
"""The least that it is: fewer rows tell starts apart badly, and save no time."""

NOISE_SHARE, LAST_NOISE_SHARE = 0.05, 0.001
"""Part of the expected loss, p / 2m nats per row, to which a fit on m rows is driven: less is
fitting noise, but for finalists the way over a plateau, which is cheapest here."""

MAX_ITER, LAST_MAX_ITER = 50, 200

TOGETHER = 4
"""Starts that are compared at once: where they end alike, more would as well. They measure
distances in all ways of `clustering`."""

USUAL_ITER, ITER_SECONDS, CUBED_SECONDS = 25, 2e-3, 3e-9
"""Of a candidate on its first part: iterations, what each takes beside its E-step, and for
factors of each component, divided by their operations, as d^3."""

LEAST_ITER, WORTH_SECONDS, WORTH_PASSES = 5, 1.0, 4
"""A fit to a part of the sample may take so many iterations, such a time, or so many passes over
all rows, whichever is most."""


SHORT_ITER, FIRST_ITER = 10, 4
"""Iterations of plain EM that tell which of many starts are worth more, and the first of them."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A start, and how far it has come on the sample.

    Of `degenerate` components, which rest on the floor there, the likelihood is no evidence.
    """

    seed: int
    fit: Fit
    degenerate: int = 0

    @property
    def rank(self) -> tuple[int, float]:
        """Rank of a candidate, a larger one better: fewer degenerate components, then the bound."""
        return -self.degenerate, self.fit.lower_bound


def ended_alike(candidates: Sequence[Candidate | None], difference: float) -> bool:
    """Return whether all are there and as sound, and end within a difference in nats per row."""
    found = [each for each in candidates if each is not None]
    if len(found) < len(candidates) or len({each.degenerate for each in found}) > 1:
        return False
    bounds = [each.fit.lower_bound for each in found]
    return max(bounds) - min(bounds) <= difference


@dataclass(frozen=True, slots=True)
class Raced:
    """The starts of one size and structure, compared: the best first, or why all failed."""

    candidates: tuple[Candidate, ...]
    failure: str = ""

    @property
    def best(self) -> Candidate | None:
        """The best one, if any did not fail."""
        return self.candidates[0] if self.candidates else None

    def joined(self, other: Raced) -> Raced:
        """Return the candidates of two races, the better of their best in front."""
        if self.best is None or other.best is None:
            return other if self.best is None else self
        first, second = (self, other) if self.best.rank >= other.best.rank else (other, self)
        rest = (*second.candidates[:1], *first.candidates[1:], *second.candidates[1:])
        return Raced((first.candidates[0], *rest))

    def led_by(self, candidate: Candidate) -> Raced:
        """Return the same with a better one in front."""
        return Raced((candidate, *self.candidates))


def race(
    draw: Draw,
    settings: Settings,
    seeds: Sequence[int],
    finalists: int = FINALISTS,
    thorough: bool = True,
    early: bool = False,
) -> tuple[list[Candidate], list[Candidate]]:
    """Return the best starts and the others, by successive halving (Jamieson & Talwalkar 2016).

    All of them are fitted to a small part of the sample; each time the part doubles, the
    better half goes on. Thorough races drive the finalists over plateaus, at the cost of many
    iterations on the sample. Where the first halving is early, short runs tell which half is fitted
    at all.
    """
    share = first_share(settings, draw.m, draw.x.shape[1])
    all_at_once = share == 1.0
    part = Part.of(draw, share, settings)
    beaten: list[Candidate] = []
    if early:
        begun = ranked(part.shortened().all_begun(seeds))
        half = max(finalists, math.ceil(len(begun) / 2))
        candidates, beaten = ranked(part.all_continued(begun[:half])) or begun[:half], begun[half:]
    else:
        candidates = ranked(part.all_begun(seeds))
    while share < 1.0:
        share = min(1.0, 2 * share)
        half = max(finalists, math.ceil(len(candidates) / 2))
        candidates, out = candidates[:half], candidates[half:]
        beaten = [*out, *beaten]
        part = Part.of(draw, share, settings, thorough and share == 1.0)
        candidates = ranked(part.all_continued(candidates)) or candidates
    best, beaten = candidates[:finalists], [*candidates[finalists:], *beaten]
    if all_at_once and thorough:
        part = Part.of(draw, 1.0, settings, last=True)
        best = ranked(part.all_continued(best)) or best
    return best, beaten


def iterations_worth(settings: Settings, m: int, n: int, d: int) -> int:
    """Return how many iterations on m rows take no longer than a few passes over all n.

    Large models need samples that are a good part of the rows: then the rows themselves are
    the better place to go on.
    """
    p = STRUCTURES[settings.structure].n_statistics(d)
    seconds = seconds_per_row(settings.n_components, p)
    return max(
        LEAST_ITER, int(max(WORTH_SECONDS, WORTH_PASSES * n * seconds) / (m * seconds + 1e-9))
    )


def candidates_worth(settings: Settings, m: int, n: int, d: int, asked: int) -> int:
    """Return how many of the candidates asked for are worth trying on a sample of m rows of n."""
    iterations = iterations_worth(settings, int(first_share(settings, m, d) * m), n, d)
    return max(FINALISTS, min(asked, iterations * asked // MAX_ITER))


def starts_worth(
    settings: Settings, m: int, n: int, d: int, most: int, seconds: float = WORTH_SECONDS
) -> int:
    """Return how many starts on a sample of m rows of n are cheap, `most` at the most.

    All together are estimated to take `seconds`, or a few passes over all n rows; 0 if not even
    one does. One component has one start.
    """
    most = 1 if settings.n_components == 1 else most
    structure = STRUCTURES[settings.structure]
    row = seconds_per_row(settings.n_components, structure.n_statistics(d))
    first = first_share(settings, m, d) * m
    work = settings.n_components * structure.step_work(d)
    once = ITER_SECONDS + first * row + CUBED_SECONDS * work
    return min(most, int(max(seconds, WORTH_PASSES * n * row) / (USUAL_ITER * once)))


def noise_of(settings: Settings, m: int, d: int) -> float:
    """Return the loss in nats per row, p / 2m, that is expected of a fit to m rows."""
    p = settings.n_free(d)
    return p / (2 * max(1, m))


def first_share(settings: Settings, m: float, d: int) -> float:
    """Return the part of a sample of m rows that candidates begin on."""
    p = settings.n_free(d)
    return min(1.0, max(FIRST_SHARE, max(FIRST_ROWS, FIRST_ROWS_PER_PARAMETER * p) / m))


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return candidates, the likeliest first; before it those with fewer components on the floor.

    The likelihood of a component without a spread of its own is what `reg_covar` makes it.
    """
    return sorted(candidates, key=lambda each: each.rank, reverse=True)


@dataclass(frozen=True, slots=True)
class SomeRows:
    """Rows of a draw that are fitted to.

    Attributes
    ----------
    x : ndarray of shape (m, d)
        NaN where a row misses a value, which is marginalised.
    counts : ndarray of shape (m,)
        How often each counts.
    beside : Companions of ndarray
        What goes beside them but for the counts.
    name : hashable or None
        The survey of rows with a name is kept for other settings.
    """

    x: NDArray[Any]
    counts: Array
    beside: Companions[NDArray[Any]] = ALONE
    name: Hashable = None


@dataclass(frozen=True)
class Part:
    """A part of the sample to fit to, as a data set of its own."""

    rows: TrainingSet
    settings: Settings

    @classmethod
    def of(cls, draw: Draw, share: float, settings: Settings, last: bool = False) -> Part:
        """Return a share of the sample, with a tolerance to match."""
        some = SomeRows(*draw.part(share), draw.beside_part(share), name=share)
        return cls.of_rows(some, settings, draw, last)

    @classmethod
    def of_rows(
        cls,
        some: SomeRows,
        settings: Settings,
        draw: Draw,
        last: bool = False,
        most: int = MAX_ITER,
    ) -> Part:
        """Return rows of a draw as a part.

        At most `most` iterations are run on it. A component rests on the floor of all rows, as it
        does when it is fitted to these: steps between values are theirs, not those of the part.
        """
        x, counts, beside = some.x, some.counts, some.beside
        rows, structure = ArrayRows(np.ascontiguousarray(x)), STRUCTURES[settings.structure]
        k, d = settings.n_components, x.shape[1]
        others: Companions[Rows] = beside.map(lambda part: ArrayRows(part, rows.lengths))
        others = replace(others, weights=weights_for(rows, counts))
        gaps = bool(np.isnan(x).any())
        transform = Transform(drop_missing=gaps, marginalise=gaps)
        data = Dataset.of(rows, others, k, structure.n_statistics(d), transform)
        kept = some.name, gaps, data.batches  # sums over other batches have other last bits
        survey = draw.surveys.get(kept) or survey_rows(data, None, silence)
        if some.name is not None:
            draw.surveys[kept] = survey
        if draw.survey is not None:
            survey = replace(survey, rounding=draw.survey.rounding, probe=draw.survey.probe)
        sample = Sample(
            np.arange(len(x), dtype=np.uint64),
            np.arange(len(x)),
            survey.filling(x, FILLING_SEED) if gaps else x,
            replace(beside, weights=counts),
        )
        noise = noise_of(settings, len(x), d)
        share, most = (LAST_NOISE_SHARE, LAST_MAX_ITER) if last else (NOISE_SHARE, most)
        most = min(most, iterations_worth(settings, len(x), draw.rows, d))
        chosen = replace(settings, tol=share * noise / GAP_SHARE, max_iter=most, n_init=1)
        chosen = replace(chosen, precision=FLOAT64)  # bounds on parts are compared
        return cls(TrainingSet(data, replace(survey, sample=sample), silence), chosen)

    def shortened(self, most: int = SHORT_ITER) -> Part:
        """Return the part for a few iterations of plain EM, which are cheaper than accelerated."""
        settings = replace(self.settings, accelerated=False, max_iter=most, tol=0.0)
        return replace(self, settings=settings)

    def all_begun(self, seeds: Sequence[int]) -> list[Candidate]:
        """Return the candidates of all seeds but those that fail, as where one collapses.

        The place of a seed says how its rows are clustered. If all fail, raise the error of the
        last one.
        """
        survey = self.rows.survey
        tried = self.begun([(seed, metric_of(survey, i)) for i, seed in enumerate(seeds)])
        found = [each for each in tried if isinstance(each, Candidate)]
        if tried and not found:
            raise next(each for each in reversed(tried) if isinstance(each, ValueError))
        return found

    def begun(self, starts: Sequence[tuple[int, Metric]]) -> list[Candidate | ValueError]:
        """Return new candidates, fitted to this part, or why they fail.

        Each has a seed, and a metric that its rows are clustered by.
        """
        return self._fitted([(seed, partial(self._start, seed, metric)) for seed, metric in starts])

    def _start(self, seed: int, metric: Metric) -> Fit:
        random = np.random.RandomState(seed)
        return Fit(start(self.rows.survey, self.settings, Initial(), random, metric))

    def without_outliers(self, candidate: Candidate) -> Candidate | None:
        """Return a candidate of Gaussians alone, fitted with room for outliers that has hardly any.

        So rows that are all clean cost next to nothing. None if it fails.
        """
        model = RobustModel.of(self.settings, self.rows.survey)
        begun = model.with_outliers(candidate.fit.step, TRUSTED_SHARE)
        return self.tried(replace(candidate, fit=Fit(begun)))

    def bounds(self, candidates: Sequence[Candidate]) -> list[float]:
        """Return the lower bound of each on this part, as it is; minus infinity where it fails."""
        fits = [Fit(each.fit.step) for each in candidates]
        found = evaluate(self.rows, fits, [self.settings] * len(fits))
        return [e.iterated.lower_bound if isinstance(e, Evaluated) else -math.inf for e in found]

    def all_continued(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates that go on from where they came, but those that fail."""
        tried = self._fitted([(each.seed, partial(Fit, each.fit.step)) for each in candidates])
        return [each for each in tried if isinstance(each, Candidate)]

    def tried(self, candidate: Candidate) -> Candidate | None:
        """Return the candidate that goes on, or None if that fails, as where one collapses."""
        return next(iter(self.all_continued([candidate])), None)

    def _fitted(
        self, begun: Sequence[tuple[int, Callable[[], Fit]]]
    ) -> list[Candidate | ValueError]:
        """Return a candidate, or why it fails, of each seed and what its fit begins with."""
        fits = [_attempt(begin) for _, begin in begun]
        some = [fit for fit in fits if isinstance(fit, Fit)]
        found: Sequence[Fit | ValueError]
        try:
            found = iterate_together(self.rows, some, self.settings)
        except ValueError:  # as an overflow of one of them
            found = [_attempt(partial(self._alone, fit)) for fit in some]
        ends = iter(found)
        ended = [next(ends) if isinstance(fit, Fit) else fit for fit in fits]
        return [
            self._candidate(seed, fit) if isinstance(fit, Fit) else fit
            for (seed, _), fit in zip(begun, ended, strict=True)
        ]

    def _alone(self, begin: Fit) -> Fit:
        return iterate(self.rows, begin, self.settings)

    def _candidate(self, seed: int, fit: Fit) -> Candidate:
        degenerate = self.rows.survey.n_degenerate(fit.step, self.settings.reg_covar)
        return Candidate(seed, fit.without_points(), degenerate)


def _attempt(make: Callable[[], Fit]) -> Fit | ValueError:
    try:
        return make()
    except ValueError as error:
        return error
