"""Sums of log densities and entropies over rows, in one streamed pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import ALONE, Companions
from daskgmm.em.survey.unsurveyed import map_unsurveyed
from daskgmm.em.survey.weighing import Weighing, check_weights, merge_weighings, weigh
from daskgmm.gaussian.block import Block
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.passes.batches import Batch
from daskgmm.rows.rows import Rows


@dataclass(frozen=True, slots=True)
class Scored:
    """Weighted sums over rows.

    Attributes
    ----------
    log_likelihood, entropy : float
        Sums of log p(x), and of the entropy of the responsibilities, in nats; the latter is nan
        unless asked for.
    weighing : Weighing
    """

    log_likelihood: float
    entropy: float
    weighing: Weighing


def score_rows(
    predictor: Predictor, rows: Rows, beside: Companions[Rows] = ALONE, *, disorder: bool = False
) -> Scored:
    """Return the weighted sums over rows, in one streamed pass.

    Rows that each have their noise go to a `noisy.NoisyPredictor`.
    """
    data = predictor.dataset(rows, beside, present=True, of_targets=not disorder)
    total, entropy, weighing = 0.0, 0.0, Weighing()
    work = partial(_score_batch, predictor, disorder)
    for part in map_unsurveyed(data, work, "daskgmm_score"):
        total, entropy = total + part.log_likelihood, entropy + part.entropy
        weighing = merge_weighings(weighing, part.weighing)
    return Scored(total, entropy, weighing)


def with_noise(block: Block) -> NDArray[Any]:
    """Return rows with the numbers of their noise behind them, if they have any."""
    noise = block.beside.noise
    if noise is None:
        return block.x
    if block.weights is not None:  # rows without weight add nothing, whatever they are
        noise = np.where(block.weights[:, None] > 0, noise, 0)
    return np.concatenate([block.x, noise], axis=1)


def _score_batch(
    predictor: Predictor, disorder: bool, batch: Batch, blocks: Iterator[Block]
) -> Scored:
    total, entropy, weighing, before = 0.0, 0.0, Weighing(), 0
    for block in blocks:
        place = Place.of(batch).at(block.numbers(before))
        if block.weights is not None:
            check_weights(block.weights, place)
        x, weights = with_noise(block), block.weights
        part, uncertain = predictor.score(x, weights, place, disorder=disorder)
        total, entropy = total + part, entropy + uncertain
        weighing = merge_weighings(weighing, weigh(block.weights, len(block.x)))
        before += block.n_read
    return Scored(total, entropy, weighing)
