"""Discriminant analysis by mixtures (MclustDA): each class has a mixture of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import Companions
from daskgmm.errors import DataError
from daskgmm.models.density.given_parameters import given_parameters, made_of
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.inputs.rows import LABELS
from daskgmm.models.sweeps.sweep import sweep
from daskgmm.passes.pairing import paired
from daskgmm.rows.rows import Get, Rows, Segment
from daskgmm.storage.address import Address

FEATURES = ("n_features_in_", *LABELS)
"""Fitted attributes that say what the features are."""


@dataclass(frozen=True, slots=True)
class WeightsOfClass:
    """Chunks of labels, each 1 for rows of a class and 0 for others, times their weights."""

    labels: Segment
    weights: Segment | None
    value: int

    @property
    def dependencies(self) -> Sequence[Any]:
        """Those of the labels, then those of the weights."""
        own = () if self.weights is None else self.weights.dependencies
        return (*self.labels.dependencies, *own)

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the weights of rows, (m,)."""
        n = len(self.labels.dependencies)
        labels = self.labels.stream(dependencies[:n], retries)
        weights = None
        if self.weights is not None:
            weights = self.weights.stream(dependencies[n:], retries)
        # Their chunks are the same, and the blocks of these need not be.
        for block in paired(labels, Companions(weights)):
            counts = 1.0 if block.weights is None else block.weights
            yield np.where(block.x == self.value, counts, 0.0)


class RowsOfClass(Rows):
    """Weights of the rows of one class: 0 for all others.

    Parameters
    ----------
    labels : Rows
    weights : Rows or None
        In the same chunks.
    value : int
        The label of the class.
    content : str, optional
        A digest of the labels.
    """

    n_features = 1
    dtype = np.dtype(np.float64)

    def __init__(
        self, labels: Rows, weights: Rows | None, value: int, content: str | None = None
    ) -> None:
        self._labels, self._weights, self._value = labels, weights, value
        self.lengths, self.block_rows = labels.lengths, labels.block_rows
        both = [rows for rows in (labels, weights) if rows is not None]
        self.in_process = any(rows.in_process for rows in both)
        self.reads = any(rows.reads for rows in both)
        self.read_copies = sum(rows.read_copies for rows in both)
        self.ahead = max(rows.ahead for rows in both)
        self.content = content

    def prepare(self, get: Get | None = None, retries: int = 0) -> None:
        """Prepare labels and weights."""
        for rows in (self._labels, self._weights):
            if rows is not None:
                rows.prepare(get, retries)

    @property
    def futures(self) -> Sequence[Any]:
        """Those of labels and weights."""
        own = () if self._weights is None else self._weights.futures
        return (*self._labels.futures, *own)

    def segment(self, first: int, stop: int) -> WeightsOfClass:
        """Return the chunks `first` to `stop` (exclusive)."""
        weights = None if self._weights is None else self._weights.segment(first, stop)
        return WeightsOfClass(self._labels.segment(first, stop), weights, self._value)


def joined(mixtures: Sequence[GaussianMixture]) -> GaussianMixture:
    """Return the mixtures of classes as one, each with its share of the weight of all rows."""
    weights = [each.fitted_on_["weight"] * each.weights_ for each in mixtures]
    # In the units of the data: with `standardise` each class has coordinates of its own.
    means = np.concatenate([each.means_in_data_units() for each in mixtures])
    covariances = np.concatenate([each.covariances_in_data_units() for each in mixtures])
    whole = np.concatenate(weights)
    whole = whole / whole.sum()
    parameters = given_parameters(whole, means, covariances, "full")
    parameters = replace(
        parameters,
        clean=_tails(mixtures, "clean"),
        inflation=_tails(mixtures, "inflation"),
        degrees=_tails(mixtures, "degrees"),
    )
    made = made_of(GaussianMixture, parameters, {})
    made.n_iter_ = max(each.n_iter_ for each in mixtures)
    made.converged_ = all(each.converged_ for each in mixtures)
    made.gap_estimate_ = max(each.gap_estimate_ for each in mixtures)
    return made


def _tails(mixtures: Sequence[GaussianMixture], name: str) -> NDArray[np.float64] | None:
    """Return a parameter of the tails of all components, (k,); None if they have none such."""
    found = [getattr(each._parameters(), name) for each in mixtures]
    return None if found[0] is None else np.concatenate(found)


def fit_own(
    rows: Rows,
    weights: Rows,
    sizes: tuple[int, ...],
    name: Any,
    checkpoint: Address | None,
    settings: Mapping[str, Any],
) -> GaussianMixture:
    """Return the mixture of one class, the best by the criterion; settings are those of a sweep."""
    asked = {**settings, "sample_weight": weights, "weights_are": "relative"}
    if checkpoint is not None:
        asked |= {"checkpoint": checkpoint.url, "storage_options": checkpoint.options}
    try:
        found = sweep(rows, sizes, **asked)
    except DataError as error:
        raise DataError(f"In the rows of the class {name!r} alone: {error}") from error
    best: Any = found.best()
    return cast("GaussianMixture", best)


def checkpoint_of(address: Address | None, place: int) -> Address | None:
    """Return where the fit of the class at a place keeps its state."""
    return None if address is None else Address.of(f"{address.url}.{place}", address.options)


def take_features(mixture: GaussianMixture, probe: GaussianMixture) -> None:
    """Set what is known of the features of another one."""
    for name in FEATURES:
        if hasattr(probe, name):
            setattr(mixture, name, getattr(probe, name))
