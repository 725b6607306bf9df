"""Predictions streamed to a Zarr group: one read, every output, and runs that can go on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.em.fingerprint import plain_digest, rows_digest
from daskgmm.errors import DataError
from daskgmm.models.predictions.labels import check_dims, check_names
from daskgmm.models.predictions.outputs import Outputs
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.writers.cutting import Cut, CutRows, cut_rows
from daskgmm.models.writers.marks import same_values
from daskgmm.models.writers.target import Kept
from daskgmm.models.writers.writing import GridWriting, Mending, Putting, RowWriting, Writing
from daskgmm.models.writers.zarr_target import ZarrTarget
from daskgmm.passes.batches import Batch, aligned
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import map_batches
from daskgmm.passes.running import Running
from daskgmm.passes.task import Progress
from daskgmm.rows.labelled.arrays import Labelled
from daskgmm.rows.rows import Rows
from daskgmm.storage.address import Address


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes
    ----------
    path : str
    rows : int
    counts : ndarray of int64, shape (k,)
        Rows of each component; zeros if labels were not written.
    missing : int
        Rows that miss a value, so that they have no label.
    """

    path: str
    rows: int
    counts: NDArray[np.int64]
    missing: int


def write_predictions(
    predictor: Predictor,
    x: Rows | Labelled,
    out: str | os.PathLike[str],
    outputs: Sequence[str],
    *,
    dtype: str = "float32",
    top: int | None = None,
    chunks: Cut = None,
    shards: Cut = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    source_name: str | None = None,
    origins: Iterable[str] = (),
) -> Written:
    """Write predictions of all rows; see `Mixture.predict_to_zarr`.

    Parameters
    ----------
    source_name : str, optional
        Where the rows are, if anywhere: other rows do not go on with a run of these.
    origins : iterable of str
        What the rows may be read from: it is not written over.
    """
    k = predictor.parameters.n_components
    wanted = Outputs.of(outputs, k, dtype, top, missing=predictor.view.drop_missing)
    if isinstance(x, Labelled):
        check_dims(x)
        check_names(x, (name for each in wanted.arrays for name in (each.name, *each.dims)))
    target = ZarrTarget(Address.of(out, storage_options), overwrite)
    target.check_apart(origins)
    source = cut_rows(x, chunks, shards, wanted.row_nbytes)
    data = predictor.dataset(source.rows)
    if source.grid is None:
        data = replace(data, batches=aligned(data.batches, source.rows, source.layout.unit[0]))
    identity = _identity(predictor, wanted, source, data.batches, source_name)
    with target.held():
        kept = target.kept(identity)
        if kept is None or not same_values(data, kept):
            kept = Kept(set(), [0] * (k + 1), {})
            extent = _coordinates(wanted)
            arrays = target.begin(source.layout, wanted, identity, source.template, k, extent)
        else:
            target.go_on(identity, kept)
            arrays = target.arrays(wanted)
        try:
            mending = _written(
                data, predictor, wanted, source, target, arrays, kept, identity, progress
            )
        except DataError:
            # The same call would end here again.
            target.discard()
            raise
        target.finish(arrays, mending.digests)
    n = int(np.prod(source.layout.shape, dtype=np.int64))
    return Written(os.fspath(out), n, mending.counts[:k], int(mending.counts[k]))


def _written(
    data: Dataset,
    predictor: Predictor,
    wanted: Outputs,
    source: CutRows,
    target: ZarrTarget,
    arrays: Mapping[str, Any],
    kept: Kept,
    identity: Mapping[str, Any],
    progress: Progress | None,
) -> Mending:
    """Write what is missing, batch by batch, and keep the journal."""
    retries = Running.configured().retries
    n, unit = int(source.rows.n_rows or 0), source.layout.unit[0]
    batches = {batch.index: batch for batch in data.batches}
    counts, marks = np.array(kept.counts, np.int64), dict(kept.marks)
    put = Putting(arrays, retries, target.guard, target.contested)
    mending = Mending(put, batches, unit, n, set(kept.done), counts, dict(kept.digests))
    work: Writing
    if source.grid is None:
        work = RowWriting(predictor, wanted, put, unit, n)
    else:
        work = GridWriting(predictor, wanted, put, source.grid)
    left = tuple(batch for batch in data.batches if batch.index not in kept.done)
    if not left:
        return mending
    # Closed, as no task may write once this run has left its place.
    results = map_batches(replace(data, batches=left), work, progress, "daskgmm-predict")
    with closing(results):
        for result in results:
            check_read(batches[result.index], result.rows)
            mending.add(result)
            marks[result.index] = result.mark
            now = Kept(mending.done, mending.counts.tolist(), marks, mending.digests)
            target.note(identity, now)
    return mending


def check_read(batch: Batch, rows: int) -> None:
    """Raise `DataError` unless as many rows were read as the batch has."""
    if rows != batch.rows:
        raise DataError(
            f"{rows} rows were read where {batch.rows} were expected, in batch {batch.index}. Do "
            "not change the data while they are read; run again."
        )


def _coordinates(outputs: Outputs) -> dict[str, range]:
    found = {
        dim: range(length)
        for each in outputs.arrays
        for dim, length in zip(each.dims, each.shape, strict=True)
    }
    return dict(sorted(found.items()))


def _identity(
    predictor: Predictor,
    outputs: Outputs,
    source: CutRows,
    batches: Sequence[Batch],
    source_name: str | None,
) -> dict[str, Any]:
    """Return what a run must have in common with one that it goes on from."""
    arrays = [(each.name, each.shape, str(each.dtype), each.fill) for each in outputs.arrays]
    layout = source.layout
    return {
        "model": predictor.digest,
        "outputs": plain_digest(arrays),
        "layout": plain_digest((layout.dims, layout.shape, layout.chunks, layout.shards)),
        "coordinates": _of_coordinates(source.template),
        "rows": rows_digest(source.rows),
        "source": None if source_name is None else plain_digest(source_name),
        "batches": len(batches),
    }


def _of_coordinates(template: Any) -> str | None:
    """Return a digest of coordinates that are in memory; lazy ones are told by their names."""
    if template is None:
        return None
    places = [
        (str(name), place.dims, place.shape, str(place.dtype), _of_values(place))
        for name, place in sorted(template.coords.items(), key=lambda pair: str(pair[0]))
    ]
    return plain_digest(places)


def _of_values(place: Any) -> str | None:
    if place.chunks is not None:
        return None
    values: NDArray[Any] = np.asarray(place.values)
    return plain_digest(values.tolist() if values.dtype.hasobject else values.tobytes())
