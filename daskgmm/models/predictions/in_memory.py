"""One output of predictions, for rows in memory or read block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.latent import n_factors
from daskgmm.models.predictions.outputs import OUTPUTS, Asked, Output, Outputs
from daskgmm.models.predictions.prediction import Place, Predictor, after
from daskgmm.passes.batches import Batch
from daskgmm.passes.over_batches import map_batches
from daskgmm.rows.plain import unmasked
from daskgmm.rows.rows import Rows


def output_of(predictor: Predictor, name: str, dtype: np.dtype[Any]) -> Output:
    """Return an output of `OUTPUTS` as predictions in memory have it, for rows of a type.

    Labels are int64; probabilities and densities float32 for float32 rows, else float64.
    """
    parameters, missing = predictor.parameters, predictor.transform.drop_missing
    precision = "float32" if dtype == np.float32 else "float64"
    noise, q = parameters.has_noise, n_factors(parameters)
    asked = Asked(
        parameters.n_components, precision, 1, missing, noise, q, clusters=predictor.clusters
    )
    (output,) = OUTPUTS[name](asked)
    return replace(output, dtype=np.dtype(np.int64)) if output.dtype.kind == "i" else output


def predict_values(predictor: Predictor, name: str, x: NDArray[Any], place: Place) -> NDArray[Any]:
    """Return an output for the rows of x (m, d), shape (m, ...)."""
    unmasked(x, "A block of X")
    output = output_of(predictor, name, x.dtype)
    return Outputs((output,)).predict(predictor, x, place)[output.name]


def predict_block(
    predictor: Predictor, name: str, batch: Batch, blocks: Iterator[Block]
) -> NDArray[Any]:
    """Return the predictions of a batch, joined."""
    parts = list(_block_by_block(predictor, name, batch, blocks))
    if not parts:
        return _nothing(predictor, name, np.dtype(np.float64))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _block_by_block(
    predictor: Predictor, name: str, batch: Batch, blocks: Iterator[Block]
) -> Iterator[NDArray[Any]]:
    before = 0
    for block in blocks:
        yield predict_values(predictor, name, block.x, partial(after, batch.place, before))
        before += len(block.x)


def _nothing(predictor: Predictor, name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    output = output_of(predictor, name, dtype)
    return np.empty((0, *output.shape), output.dtype)


def predict_rows(predictor: Predictor, name: str, rows: Rows) -> NDArray[Any]:
    """Return the predictions of all rows, in memory."""
    data = predictor.dataset(rows)
    parts = map_batches(data, partial(predict_block, predictor, name))
    if len(data.batches) == 1:
        return next(iter(parts))
    nothing = _nothing(predictor, name, np.dtype(rows.dtype))
    if rows.n_rows is None:
        return np.concatenate([nothing, *parts])
    # Filled as they come: joined at the end they would need twice the memory.
    result = np.empty((rows.n_rows, *nothing.shape[1:]), nothing.dtype)
    filled = 0
    for part in parts:
        result[filled : filled + len(part)] = part
        filled += len(part)
    return result
