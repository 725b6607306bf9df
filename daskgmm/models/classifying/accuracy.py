"""Accuracy of predicted classes, in one streamed pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import Companions
from daskgmm.em.survey.unsurveyed import map_unsurveyed
from daskgmm.em.survey.weighing import check_weights
from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.inputs.target import Target
from daskgmm.models.mixtures.noisy_rows import rows_beside
from daskgmm.models.predictions.forms.in_memory import predict_values
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.predictions.scoring import with_noise
from daskgmm.passes.batches import Batch
from daskgmm.rows.companions.coded import UNKNOWN_CLASS

NO_CLASS = -2
"""Place of a label that is none of the classes: no prediction hits it."""


@dataclass(frozen=True, slots=True)
class Places:
    """What places of labels among the classes of a fit are.

    Attributes
    ----------
    values : ndarray of shape (c,)
        Sorted labels.
    places : ndarray of int, shape (c,)
        The class of each.
    minus_one : bool
        Whether -1 is a class, and not the label of unknown ones.
    """

    values: NDArray[Any]
    places: NDArray[np.intp]
    minus_one: bool

    @classmethod
    def of(cls, target: Target, classes: NDArray[Any]) -> Places:
        """Return those of labels; raise `DataError` for names where classes are numbers."""
        numbers = classes.dtype.kind in "iu"
        if numbers != (target.names is None):
            have, are = ("names", "numbers") if numbers else ("numbers", "names")
            raise DataError(
                f"y has {have}, and the classes of the fit are {are}. Give labels as in the fit."
            )
        if target.names is None:
            return cls(classes, np.arange(len(classes)), UNKNOWN_CLASS in classes)
        of_classes = {name: place for place, name in enumerate(classes.tolist())}
        places = [of_classes.get(name, NO_CLASS) for name in target.names.tolist()]
        return cls(np.arange(len(places)), np.array(places, np.intp), False)

    def __call__(self, labels: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return the place of each label (m,), and whether it is of a known class."""
        known = labels == labels  # false for NaN alone
        if not self.minus_one:
            known &= labels != UNKNOWN_CLASS
        if not len(self.values):
            return np.full(len(labels), NO_CLASS), known
        found = np.minimum(np.searchsorted(self.values, labels), len(self.values) - 1)
        hits = self.values[found] == labels
        return np.where(hits, self.places[found], NO_CLASS), known


@dataclass(frozen=True, slots=True)
class Hits:
    """How many labelled rows have the class that is predicted.

    Attributes
    ----------
    right : float
        Weight of these rows; without weights their number.
    labelled : float
        Of all rows whose class is known.
    """

    right: float
    labelled: float

    @property
    def accuracy(self) -> float:
        """The part of the weight, from 0 to 1."""
        return self.right / self.labelled


def hits_of(
    mixture: GaussianMixture,
    target: Target,
    classes: NDArray[Any],
    sample_weight: Any,
    noise_variance: Any = None,
) -> Hits:
    """Return the weight of the labelled rows, and of those whose class is predicted.

    The mixture's clusters are places of the classes. Rows that miss a value are no hits.

    Raises
    ------
    DataError
        If no labelled row has a weight.
    """
    of_rows = target.source, Companions(sample_weight, target.labels), noise_variance
    rows, beside, predictor = rows_beside(mixture, mixture._predictor(), *of_rows)
    places = Places.of(target, classes)  # of a column that can be labels
    hits = total = 0.0
    data, work = predictor.dataset(rows, beside), partial(_score, predictor, places)
    for part in map_unsurveyed(data, work, "daskgmm_score"):
        hits, total = hits + part[0], total + part[1]
    if not total > 0:
        raise DataError(
            "No row has both a known class and a weight, so there is no accuracy. Give labels of "
            "known classes as y."
        )
    return Hits(hits, total)


def _score(
    predictor: Predictor, places: Places, batch: Batch, blocks: Iterator[Block]
) -> tuple[float, float]:
    hits, total, before = 0.0, 0.0, 0
    for block in blocks:
        place, labels = Place.of(batch).after(before), block.beside.labels
        assert labels is not None, "y is given"
        expected, known = places(labels)
        weights = np.ones(len(labels))
        if block.weights is not None:
            check_weights(block.weights, place)
            weights = block.weights.astype(np.float64)
        counted = np.where(known, weights, 0.0)
        found = predict_values(predictor, ("cluster",), with_noise(block), place)
        # Sums of the same terms in the same order, as a part above 1 would come of others.
        right = np.where(found == expected, counted, 0.0)
        hits, total = hits + float(right.sum()), total + float(counted.sum())
        before += len(labels)
    return hits, total
