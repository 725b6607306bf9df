"""Labels, responsibilities and densities of rows under a fitted mixture, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError
from daskgmm.gaussian.guard import TOLERANCE, natural_error
from daskgmm.gaussian.kernel import Kernel, Tile
from daskgmm.gaussian.natural import NaturalKernel
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.softmax import exponentiate
from daskgmm.gaussian.whitened import WhitenedKernel
from daskgmm.gaussian.workspace import small_buffers
from daskgmm.passes.blas import one_blas_thread
from daskgmm.passes.plan import Batch
from daskgmm.passes.sweep import Dataset, each
from daskgmm.passes.tiles import Block
from daskgmm.rows.rows import Rows

Array = NDArray[np.float64]

Kind = Literal["labels", "responsibilities", "log_densities"]


class Predictor:
    """A mixture made ready to look at rows.

    Parameters
    ----------
    parameters : Parameters
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        # Every kernel wants a centre among the rows: the mixture's own mean is one.
        self.center: Array = parameters.weights @ parameters.means / parameters.weights.sum()
        self._natural = NaturalKernel.of(parameters, self.center)
        self._whitened = WhitenedKernel.of(parameters, self.center)

    def dataset(self, rows: Rows) -> Dataset:
        """Return rows cut for passes of this mixture."""
        p, k, _ = self._natural.shape
        return Dataset.of(rows, None, k, p)

    def label(self, x: NDArray[Any]) -> NDArray[np.int64]:
        """Return the most probable component of each row of x (m, d), shape (m,)."""
        labels = np.empty(len(x), np.int64)
        for rows, tile in self._tiles(x):
            tile.log_joint()
            labels[rows] = np.argmax(tile.joint, axis=0)
        return labels

    def responsibilities(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the posterior probability of each component for each row, shape (m, k)."""
        result = np.empty((len(x), self.parameters.n_components), result_type(x.dtype))
        for rows, tile in self._tiles(x):
            tile.log_joint()
            exponentiate(tile.joint, tile.maximum, tile.total)
            result[rows] = (tile.joint / tile.total).T
        return result

    def log_densities(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return log p(x) of each row, in nats, shape (m,)."""
        result = np.empty(len(x), result_type(x.dtype))
        for rows, tile in self._tiles(x):
            tile.log_joint()
            shared = tile.shared_term()
            exponentiate(tile.joint, tile.maximum, tile.total)
            result[rows] = tile.maximum + np.log(tile.total) + shared
        return result

    def __call__(self, kind: Kind, x: NDArray[Any]) -> NDArray[Any]:
        """Return what `kind` names for the rows of x."""
        methods = {
            "labels": self.label,
            "responsibilities": self.responsibilities,
            "log_densities": self.log_densities,
        }
        if isinstance(x, np.ma.MaskedArray):
            raise DataError(
                "A block of X is masked, and masked values have no place in a mixture: fill them "
                "first, as with dask.array.ma.filled(X, value)."
            )
        with one_blas_thread(), small_buffers():
            return methods[kind](x)

    def _tiles(self, x: NDArray[Any]) -> Iterator[tuple[slice, Tile]]:
        # Made for the kernel that needs more; the whitened one leaves T(z) alone.
        with self._natural.workspace(len(x)) as work:
            capacity = work.joint.shape[1]
            for first in range(0, len(x), capacity):
                rows = slice(first, min(first + capacity, len(x)))
                z = work.rows[: len(self.center), : rows.stop - first]
                np.subtract(x[rows].T, self.center[:, None], out=z)
                half_range = np.abs(z).max(axis=1)
                if not np.isfinite(half_range).all():
                    self._refuse(x, first)
                yield rows, self._choose(half_range).bind(work, rows.stop - first)

    def _choose(self, half_range: Array) -> Kernel:
        if natural_error(self.parameters, self.center, half_range) < TOLERANCE:
            return self._natural
        return self._whitened

    def _refuse(self, x: NDArray[Any], first: int) -> None:
        row, column = np.argwhere(~np.isfinite(x[first:]))[0]
        what = "NaN" if np.isnan(x[first + row, column]) else "infinity"
        raise DataError(
            f"Input X contains {what} in row {first + row} of its block, column {column}. "
            "Remove or impute the missing and infinite values first."
        )


def result_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of probabilities and densities: float32 for float32 rows."""
    return dtype if dtype == np.float32 else np.dtype(np.float64)


def predict_block(predictor: Predictor, kind: Kind, batch: Batch, blocks: Iterator[Block]) -> Any:
    """Return the predictions of a batch, joined."""
    parts = [predictor(kind, block.x) for block in blocks]
    if not parts:
        return predictor(kind, np.empty((0, predictor.parameters.n_features)))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _score_block(predictor: Predictor, batch: Batch, blocks: Iterator[Block]) -> tuple[float, int]:
    total, rows = 0.0, 0
    for block in blocks:
        total += float(predictor("log_densities", block.x).sum(dtype=np.float64))
        rows += len(block.x)
    return total, rows


def predict_rows(predictor: Predictor, kind: Kind, rows: Rows) -> NDArray[Any]:
    """Return the predictions of all rows, in memory."""
    data = predictor.dataset(rows)
    parts: list[NDArray[Any]] = list(each(data, partial(predict_block, predictor, kind)))
    if not parts:
        return predictor(kind, np.empty((0, rows.n_features), rows.dtype))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def score_rows(predictor: Predictor, rows: Rows) -> tuple[float, int]:
    """Return the sum of log p(x), in nats, and the number of rows, in one streamed pass."""
    data = predictor.dataset(rows)
    total, count = 0.0, 0
    for part, number in each(data, partial(_score_block, predictor)):
        total, count = total + part, count + number
    return total, count
