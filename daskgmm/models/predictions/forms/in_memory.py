"""Outputs of predictions, for rows in memory or read block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.block import Block
from daskgmm.models.predictions.made_outputs import Outputs, asked_of
from daskgmm.models.predictions.output import Output
from daskgmm.models.predictions.outputs import OUTPUTS
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.predictions.targets import are_targets
from daskgmm.passes.batches import Batch
from daskgmm.passes.over_batches import map_batches
from daskgmm.rows.checks.plain import unmasked
from daskgmm.rows.rows import Rows

Names = tuple[str, ...]
"""Outputs that are made of the same E-step; of several, arrays have a field for each."""


def outputs_of(predictor: Predictor, names: Names, dtype: np.dtype[Any]) -> list[Output]:
    """Return outputs as predictions in memory have them, for rows of a type.

    Labels are int64; probabilities and densities float32 for float32 rows, else float64.
    """
    precision = "float32" if dtype.newbyteorder("=") == np.float32 else "float64"
    asked = asked_of(predictor, precision, 1)
    makers = {**OUTPUTS, **predictor.own_outputs}
    made = [output for name in names for output in makers[name](asked)]
    return [
        replace(each, dtype=np.dtype(np.int64)) if each.dtype.kind == "i" else each for each in made
    ]


def output_of(predictor: Predictor, names: Names, dtype: np.dtype[Any]) -> Output:
    """Return `outputs_of` as one."""
    return Output.together(outputs_of(predictor, names, dtype))


def apart(found: Any, names: Names) -> tuple[Any, ...]:
    """Return the arrays of outputs, of NumPy or Dask, that were made together."""
    return tuple(found[name] for name in names) if len(names) > 1 else (found,)


def predict_values(
    predictor: Predictor, names: Names, x: NDArray[Any], place: Place
) -> NDArray[Any]:
    """Return outputs for the rows of x (m, d), shape (m, ...)."""
    unmasked(x, "A block of X")
    output = output_of(predictor, names, x.dtype)
    return Outputs((output,)).predict(predictor, x, place)[output.name]


def predict_block(
    predictor: Predictor, names: Names, batch: Batch, blocks: Iterator[Block]
) -> NDArray[Any]:
    """Return the predictions of a batch, joined."""
    parts = list(_block_by_block(predictor, names, batch, blocks))
    if not parts:
        return nothing_of(predictor, names, np.dtype(np.float64))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _block_by_block(
    predictor: Predictor, names: Names, batch: Batch, blocks: Iterator[Block]
) -> Iterator[NDArray[Any]]:
    before = 0
    for block in blocks:
        yield predict_values(predictor, names, block.x, Place.of(batch).after(before))
        before += len(block.x)


def nothing_of(predictor: Predictor, names: Names, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the outputs of no rows."""
    output = output_of(predictor, names, dtype)
    return np.empty((0, *output.shape), output.dtype)


def predict_rows(predictor: Predictor, names: Names, rows: Rows) -> NDArray[Any]:
    """Return the predictions of all rows, in memory."""
    of_targets = are_targets(outputs_of(predictor, names, np.dtype(rows.dtype)))
    data = predictor.dataset(rows, of_targets=of_targets)
    parts = map_batches(data, partial(predict_block, predictor, names), name="daskgmm_predict")
    if len(data.batches) == 1:
        return next(iter(parts))
    nothing = nothing_of(predictor, names, np.dtype(rows.dtype))
    if rows.n_rows is None:
        return np.concatenate([nothing, *parts])
    # Filled as they come: joined at the end they would need twice the memory.
    result = np.empty((rows.n_rows, *nothing.shape[1:]), nothing.dtype)
    filled = 0
    for part in parts:
        result[filled : filled + len(part)] = part
        filled += len(part)
    return result
