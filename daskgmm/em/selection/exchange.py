"""A component too many here and one too few there: two are merged, and another is split.

EM moves no component across a region without rows, so that many starts end in as many maxima. Two
components that are nearly alike, merged, and one whose rows are two clusters, split, are the next
maximum (Ueda, Nakano, Ghahramani & Hinton 2000). Which exchange gains most is estimated first:
by what a mixture of two gains on the rows of a component alone, and by the bound on what a merge
loses. Short runs of EM tell which of the likeliest are worth more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, product

import numpy as np

from daskgmm.em.iterations.progress import Fit
from daskgmm.em.selection.holding_out import LogDensities
from daskgmm.em.settings import Settings
from daskgmm.em.starts.candidates import (
    FIRST_ITER,
    ITER_SECONDS,
    NOISE_SHARE,
    SHORT_ITER,
    USUAL_ITER,
    Candidate,
    Part,
    SomeRows,
    ended_alike,
    noise_of,
    ranked,
)
from daskgmm.em.starts.clustering import Metric, metric_of
from daskgmm.em.starts.drawing import Draw
from daskgmm.em.starts.start import with_room
from daskgmm.gaussian.components.merging import Pair, likely, merged, pairs, without_matrices
from daskgmm.gaussian.components.splitting import divided
from daskgmm.gaussian.coordinates import whitening
from daskgmm.gaussian.covariance.structures import STRUCTURES, structure_of
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.parameters import Parameters
from daskgmm.passes.batches import seconds_per_row

ROUNDS = 4
"""Most exchanges in a row."""

PAIRS, TRIED, SECOND, DRIVEN = 6, 10, 5, 2
"""Pairs that may be merged, exchanges that are tried in short runs, those that are left after the
first iterations, and after all of these, which are driven on."""

WAYS, SPLIT_ITER, SPLIT_ROWS = 2, 4, 10
"""Mixtures of two for each component, their iterations, and the rows for each feature without which
there is none."""


@dataclass(frozen=True, slots=True)
class Split:
    """A component, and the mixture of two that its rows are likelier by; gain in nats per row."""

    component: int
    two: Parameters
    gain: float


@dataclass(frozen=True)
class Exchanges:
    """The exchanges of one size and structure, tried on a sample.

    `log_densities` are those of rows with their noise behind their features.
    """

    draw: Draw
    settings: Settings
    log_densities: LogDensities

    def worth(self, seconds: float) -> int:
        """Return how many rounds are estimated to take no longer, `ROUNDS` at the most.

        There are none where components have too few rows in the mean for a mixture of two: more
        starts find more then. Nor are there where matrices would not fit into memory.
        """
        k, d = self.settings.n_components, self.draw.x.shape[1]
        if k < 3 or self.settings.labelling is not None:
            return 0  # none is left to split beside two that are merged; or classes have places
        structure, few = STRUCTURES[self.settings.structure], self.draw.m < 2 * k * SPLIT_ROWS * d
        if few or without_matrices(structure, d):
            return 0
        row = seconds_per_row(k, structure.n_statistics(d))
        splits = WAYS * SPLIT_ITER * (k * ITER_SECONDS + self.draw.m * row)
        short = TRIED * FIRST_ITER + SECOND * (SHORT_ITER - FIRST_ITER)
        runs = (short + DRIVEN * USUAL_ITER) * (ITER_SECONDS + self.draw.m * row)
        return min(ROUNDS, int(seconds / (splits + runs)))

    def of_best(self, candidates: Sequence[Candidate], rounds: int) -> list[Candidate]:
        """Return what the best candidate becomes by exchanges, as long as these make it better.

        The next one is returned beside it; if both end alike on the sample, there are none.
        """
        whole = Part.of(self.draw, 1.0, self.settings)
        begun = ranked(whole.all_continued(candidates[:2]))
        alike = 2 * NOISE_SHARE * noise_of(self.settings, self.draw.m, self.draw.x.shape[1])
        if not begun or (len(begun) > 1 and ended_alike(begun, alike)):
            return begun
        return [self._of(whole, begun[0], rounds), *begun[1:]]

    def _of(self, whole: Part, candidate: Candidate, rounds: int) -> Candidate:
        for number in range(rounds):
            found = self._best(whole, candidate, number)
            if found is None or found.rank <= candidate.rank:
                break
            candidate = found
        return candidate

    def _best(self, whole: Part, candidate: Candidate, number: int) -> Candidate | None:
        """Return the best mixture that one exchange leads to, driven on; None if all fail."""
        mixture = candidate.fit.step.parameters.without_outliers()
        near = likely(pairs(mixture), PAIRS)
        splits = self._splits(mixture, (candidate.seed + number) % 2**32) if near else []
        begun = [
            Candidate(candidate.seed, Fit(Maximised(self._prepared(whole, start))))
            for start in islice(exchanged(mixture, near, splits), TRIED)
        ]
        tried = ranked(whole.shortened(FIRST_ITER).all_continued(begun))[:SECOND]
        tried = ranked(whole.shortened(SHORT_ITER - FIRST_ITER).all_continued(tried))
        driven = ranked(whole.all_continued(tried[:DRIVEN]))
        return driven[0] if driven else None

    def _prepared(self, whole: Part, start: Parameters) -> Parameters:
        if self.settings.equal_weights:
            start = start.with_equal_weights()
        return with_room(self.settings, whole.rows.survey, start)

    def _splits(self, mixture: Parameters, seed: int) -> list[Split]:
        """Return what each component gains by a mixture of two on the rows that are most its own.

        Their clusters are looked for in the columns' units, and where these rows are white.
        """
        x, counts = self.draw.part()
        wide = self.draw.wide_part()
        alone = [self.log_densities(one, wide, None) for one in components(mixture)]
        with np.errstate(divide="ignore"):
            labels = np.argmax(np.stack(alone) + np.log(mixture.weights)[:, None], axis=0)
        settings = replace(
            self.settings,
            n_components=2,
            init_params="kmeans",
            outliers=None,
            prior=None,
            equal_weights=False,
        )
        found = []
        for component, density in enumerate(alone):
            mine = labels == component
            if mine.sum() < SPLIT_ROWS * x.shape[1]:
                continue
            beside = self.draw.beside_part().map(partial(np.compress, mine, axis=0))
            some = SomeRows(x[mine], counts[mine], beside)
            part = Part.of_rows(some, settings, self.draw, most=SPLIT_ITER).shortened(SPLIT_ITER)
            shares = counts[mine] / counts.sum()
            for two in _halves(part, seed):
                two = _beside(mixture, two)
                new = self.log_densities(two, wide[mine], None)
                gain = shares @ (new - density[mine])
                found.append(Split(component, two, float(gain)))
        return found


def _halves(part: Part, seed: int) -> list[Parameters]:
    """Return mixtures of two components of these rows, none of which rests on the floor."""
    survey = part.rows.survey
    metrics = metric_of(survey, 0), Metric(survey.mean, whitening(survey.covariance))
    tried = part.begun([(seed, metric) for metric in metrics])
    found = [each for each in tried if isinstance(each, Candidate) and not each.degenerate]
    return [each.fit.step.parameters for each in found]


def _beside(mixture: Parameters, two: Parameters) -> Parameters:
    """Return two components with the covariance that those of a mixture share, if they do.

    Theirs alone is narrower, which it cannot be beside the others.
    """
    if not structure_of(mixture).shared:
        return two
    factors = mixture.precisions_cholesky
    return replace(two, covariances=mixture.covariances, precisions_cholesky=factors)


def components(mixture: Parameters) -> list[Parameters]:
    """Return each component of Gaussians as a mixture of its own."""
    shared = structure_of(mixture).shared

    def one(index: int) -> Parameters:
        own = slice(None) if shared else slice(index, index + 1)
        return Parameters(
            mixture.structure,
            np.ones(1),
            mixture.means[index : index + 1],
            mixture.covariances[own],
            mixture.precisions_cholesky[own],
        )

    return [one(index) for index in range(mixture.n_components)]


def exchanged(
    mixture: Parameters, near: Sequence[Pair], splits: Sequence[Split]
) -> Iterator[Parameters]:
    """Yield mixtures with two components merged and another split, those first that gain most."""
    exchanges = [
        (split.gain - pair.cost, split, pair)
        for split, pair in product(splits, near)
        if split.component not in (pair.i, pair.j)
    ]
    for _, split, pair in sorted(exchanges, key=lambda each: each[0], reverse=True):
        fewer = merged(mixture, pair.i, pair.j)
        if fewer is None:
            continue
        place = split.component - (split.component > pair.j)
        start = divided(fewer, place, split.two)
        if start is not None:
            yield start
