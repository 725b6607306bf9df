"""Outputs of rows to disk: what every method that writes them does."""

from __future__ import annotations

from typing import Any

from daskgmm.models.predictions.made_outputs import Outputs
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.writers.cutting import Cut, cut_rows
from daskgmm.models.writers.job import Written
from daskgmm.models.writers.parquet_target import ParquetTarget
from daskgmm.models.writers.predict_to_parquet import ParquetJob, check_columns
from daskgmm.models.writers.predict_to_zarr import ZarrJob
from daskgmm.models.writers.zarr_target import ZarrTarget
from daskgmm.passes.task import Progress
from daskgmm.rows.labelled.arrays import Labelled
from daskgmm.rows.origins import origins
from daskgmm.rows.rows import Rows
from daskgmm.rows.tables.keyed import Table
from daskgmm.storage.address import Address
from daskgmm.storage.masking import harmless_errors


def write_to_zarr(
    predictor: Predictor,
    outputs: Outputs,
    rows: Rows | Labelled,
    out: Address,
    *,
    read: list[Any],
    source: str | None,
    chunks: Cut,
    shards: Cut,
    overwrite: bool,
    progress: Progress | None,
) -> Written:
    """Write outputs of rows to a Zarr group; what users gave to `read` is not replaced."""
    with harmless_errors(out.options):
        cut = cut_rows(rows, chunks, shards, outputs)
        target = ZarrTarget(out, overwrite)
        target.check_apart(origins(read))
        return ZarrJob(predictor, outputs, target, cut, source).run(progress)


def write_to_parquet(
    predictor: Predictor,
    outputs: Outputs,
    table: Table,
    out: Address,
    *,
    read: Any,
    beside: Any = None,
    dtype: str | None,
    overwrite: bool,
    progress: Progress | None,
) -> Written:
    """Write outputs of a table to Parquet files beside its keys.

    Files of a whole table may be replaced; what else users gave to `read`, and what is `beside` it,
    is not.
    """
    check_columns(table, outputs, dtype)
    target = ParquetTarget(out, overwrite)
    if table.whole:
        target.check_replaced(origins(table.rows), {*table.features, *table.schema.names})
    else:
        target.check_apart(origins(read))
    target.check_apart(origins(beside))
    return ParquetJob(predictor, outputs, target, table).run(progress)
