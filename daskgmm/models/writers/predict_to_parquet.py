"""Predictions streamed to Parquet files beside keys: one read, and runs that can go on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.em.fingerprint import plain_digest, rows_digest
from daskgmm.models.predictions.outputs import Outputs
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.writers.cutting import CHUNK_ROWS
from daskgmm.models.writers.marks import same_values
from daskgmm.models.writers.parquet_target import ParquetTarget
from daskgmm.models.writers.part_writing import PartWriting, flat
from daskgmm.models.writers.predict_to_zarr import Written, check_read
from daskgmm.models.writers.target import Kept
from daskgmm.passes.keyed_task import keyed_tasks
from daskgmm.passes.over_batches import map_batches
from daskgmm.passes.running import Running
from daskgmm.passes.task import Progress
from daskgmm.rows.parquet.tables import ParquetTable
from daskgmm.rows.sources import source_of
from daskgmm.rows.tables.keyed import Table, as_names
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions


def write_beside_keys(
    predictor: Predictor,
    table: Table,
    out: str | os.PathLike[str],
    outputs: Sequence[str],
    *,
    dtype: str = "float32",
    top: int | None = None,
    overwrite: bool = False,
    storage_options: StorageOptions | None = None,
    progress: Progress | None = None,
    origins: Iterable[str] = (),
) -> Written:
    """Write predictions of all rows of a table; see `Mixture.predict_to_parquet`.

    Parameters
    ----------
    origins : iterable of str
        What the rows may be read from: of that, only features may get lost.
    """
    if dtype == "uint8":
        raise ValueError(
            "dtype is 'uint8', which needs a scale factor, and Parquet has none; give 'float32'."
        )
    k = predictor.parameters.n_components
    wanted = Outputs.of(outputs, k, dtype, top, missing=predictor.view.drop_missing)
    target = ParquetTarget(Address.of(out, storage_options), overwrite)
    if isinstance(table, ParquetTable):
        target.check_replaced(origins, {*table.features, *table.schema.names})
    else:
        target.check_apart(origins)  # a frame may have left out rows of what it reads
    retries = Running.configured().retries
    work = PartWriting(predictor, wanted, target.place, table.schema, retries, target.guard)
    _check_names(table, wanted)
    with target.held():
        counts, digests = _written(predictor, table, work, target, progress)
        target.finish(len(table.rows.lengths), digests)
    return Written(os.fspath(out), int(counts[k + 1]), counts[:k], int(counts[k]))


def _written(
    predictor: Predictor,
    table: Table,
    work: PartWriting,
    target: ParquetTarget,
    progress: Progress | None,
) -> tuple[NDArray[np.int64], dict[str, str]]:
    """Write what is missing and keep the journal.

    Returns
    -------
    counts : ndarray of int64, shape (k + 2,)
        Rows of each component, missing, all.
    digests : dict
        Of the files, where the place is contested.
    """
    data = predictor.dataset(table.rows)
    identity = _identity(predictor, table, work, len(data.batches))
    kept = target.kept(identity)
    if kept is None or not same_values(data, kept, lambda some: keyed_tasks(some, table)):
        kept = Kept(set(), [0] * (predictor.parameters.n_components + 2), {})
        target.begin(identity, kept)
    else:
        target.go_on(identity, kept)
    work = replace(work, folder=target.place, compared=target.contested)
    done, total, marks = set(kept.done), np.array(kept.counts, np.int64), dict(kept.marks)
    digests = dict(kept.digests)
    left = replace(data, batches=tuple(b for b in data.batches if b.index not in done))
    if not left.batches:
        return total, digests
    batches = {batch.index: batch for batch in left.batches}
    tasks = keyed_tasks(left, table)
    # Closed, as no task may write once this run has left its place.
    with closing(map_batches(left, work, progress, "daskgmm-predict", tasks)) as results:
        for result in results:
            if batches[result.index].rows is not None:
                check_read(batches[result.index], result.rows)
            total += np.append(result.counts, result.rows)
            done.add(result.index)
            marks[result.index] = result.mark
            digests.update(result.digests)
            now = Kept(done, total.tolist(), marks, digests)
            target.note(identity, now)
    return total, digests


def _check_names(table: Table, outputs: Outputs) -> None:
    twice = [name for name, _ in flat(outputs.empty(0)) if name in table.schema.names]
    if twice:
        raise ValueError(
            f"The key {twice[0]!r} is called as a column of predictions is; rename it, or leave "
            "that out of outputs."
        )


def _identity(
    predictor: Predictor, table: Table, work: PartWriting, batches: int
) -> Mapping[str, Any]:
    """Return what a run must have in common with one that it goes on from."""
    return {
        "model": predictor.digest,
        "columns": plain_digest(str(work.schema)),
        "rows": rows_digest(table.rows),
        "source": plain_digest(table.mark),
        "batches": batches,
    }


def table_of(
    x: Any,
    columns: Sequence[str] | None,
    key: str | Sequence[str] | None,
    storage_options: StorageOptions | None = None,
) -> Table:
    """Return what the user gives as rows with keys.

    Parameters
    ----------
    x : Parquet paths, ParquetRows, or a data frame
    columns : sequence of str, or None
        The features, where the mixture knows their names.

    Raises
    ------
    DataError
        If there is no such column, or a feature holds no numbers.
    TypeError
        If `x` is no table.
    """
    return source_of(x, storage_options).table(columns, as_names(key), CHUNK_ROWS)
