"""The best starts of all sizes and structures, compared on the sample: which ones may yet win."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.em.selection.holding_out import HeldOut, LogDensities
from daskgmm.em.selection.measuring import measure_many
from daskgmm.em.settings import Settings
from daskgmm.em.starts.candidates import Candidate, Part
from daskgmm.em.starts.drawing import Draw

SURE = 4.0
"""Standard errors by which a model must be worse on the sample to be clearly beaten."""

SAME = 0.1
"""Root mean square, in nats, of differences row by row up to which models are one maximum."""


def is_clearly_better(one: Array, other: Array, shares: Array) -> bool:
    """Return whether log densities (m,) are higher than others by more than their errors.

    `shares` (m,) of the rows have the sum 1. The error is that of the difference row by row.
    """
    return bool(shares @ (one - other) > SURE * _error(one - other, shares))


def are_same(one: Array, other: Array, shares: Array) -> bool:
    """Return whether log densities (m,) differ so little as two fits to one maximum do."""
    return bool(shares @ (one - other) ** 2 <= SAME**2)


def _error(difference: Array, shares: Array) -> float:
    spread = difference - shares @ difference
    return float(np.sqrt(shares**2 @ spread**2))


@dataclass(frozen=True)
class Compared:
    """The best starts of all sizes and structures, measured on the sample.

    `n` are the rows that criteria count of the whole data set, `told` as many rows as the sample
    tells; `densities` (models, rows of the sample), `free` (models,) counts free parameters.
    """

    draw: Draw
    n: float
    told: float
    settings: Sequence[Settings]
    candidates: Sequence[Candidate]
    densities: Array
    free: Array
    log_densities: LogDensities

    @classmethod
    def of(
        cls,
        draw: Draw,
        counts: tuple[float, float],
        log_densities: LogDensities,
        settings: Sequence[Settings],
        candidates: Sequence[Candidate],
    ) -> Compared:
        """Return the comparison of these candidates; `counts` are n and `told`."""
        rows = draw.wide_part(), draw.beside_part().labels
        densities = [log_densities(each.fit.step.parameters, *rows) for each in candidates]
        free = [each.n_free(draw.x.shape[1]) for each in settings]
        measured = np.array(densities), np.array(free, float)
        return cls(draw, *counts, settings, candidates, *measured, log_densities)

    @cached_property
    def _part(self) -> tuple[NDArray[Any], Array]:
        return self.draw.part()

    @cached_property
    def _shares(self) -> Array:
        """Share of each row of the sample, (m,), with the sum 1."""
        _, counts = self._part
        shares: Array = counts / counts.sum()
        return shares

    @property
    def _penalty(self) -> Array:
        """Gain of each model by its parameters alone, and BIC's penalty for them."""
        return self.free / (2 * self.told) + self.free * math.log(self.n) / (2 * self.n)

    @cached_property
    def _scores(self) -> Array:
        return self.densities @ self._shares - self._penalty

    def would_win(self, index: int, other: Candidate) -> bool:
        """Return whether another start of a model is better than the other models are."""
        if other.degenerate:
            return False
        rows = self.draw.wide_part(), self.draw.beside_part().labels
        density = self.log_densities(other.fit.step.parameters, *rows)
        score = density @ self._shares - self._penalty[index]
        rest = [i for i, each in enumerate(self.candidates) if i != index and not each.degenerate]
        return bool(score >= np.fmax.reduce(self._scores[rest], initial=-np.inf))

    def best(self, scores: Array) -> int:
        """Return the model of the highest score, one on the floor only if there is no other.

        A score that is nan is the lowest.
        """
        evidence = np.array([not each.degenerate for each in self.candidates])
        if evidence.any():
            scores = np.where(evidence, scores, -np.inf)
        return int(np.argmax(np.where(np.isnan(scores), -np.inf, scores)))

    def not_beaten(self) -> list[bool]:
        """Return which models are not clearly beaten, as far as the sample can tell.

        A model is clearly beaten if its likelihood, less p / 2m for having been fitted to the
        sample, which tells as much as m rows (`told`), and less BIC's p log(n) / 2n, is below
        the best one's by more than `SURE` standard errors of their difference row by row.
        """
        shares, scores = self._shares, self._scores
        best = self.best(scores)
        going = []
        for density, score in zip(self.densities, scores, strict=True):
            error = _error(self.densities[best] - density, shares)
            going.append(bool(scores[best] - score <= SURE * error))
        return going

    def best_otherwise(self, held: Sequence[HeldOut]) -> set[int]:
        """Return the models that are the best by AIC, ICL or held-out likelihood.

        These may ask for far fewer components, or more, than BIC, which beats them clearly
        then.
        """
        part = Part.of(self.draw, 1.0, self.settings[0], last=False)
        mixtures = [each.fit.step.parameters for each in self.candidates]
        measured = measure_many(part.rows, mixtures, [each.classes for each in self.settings])
        likelihoods = measured.log_likelihoods / measured.weight - self.free / (2 * self.told)
        entropies = measured.entropies / measured.weight
        scores = (
            likelihoods - self.free / self.n,
            likelihoods - self.free * math.log(self.n) / (2 * self.n) - entropies,
            np.array([each.mean for each in held]),
        )
        return {self.best(score) for score in scores}
