"""Predictions streamed to a Zarr group: one read, every output, and runs that can go on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from daskgmm.em.fingerprint import plain_digest, rows_digest
from daskgmm.errors import DataError
from daskgmm.models.labels import COMPONENT, kept_attributes
from daskgmm.models.outputs import RANK, Outputs
from daskgmm.models.prediction import Predictor
from daskgmm.models.writing import GridWriting, Mending, RowWriting, Writing
from daskgmm.models.zarr_target import Layout, ZarrTarget
from daskgmm.passes.batches import Batch, aligned
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.running import Running
from daskgmm.passes.sweep import each
from daskgmm.passes.task import Progress
from daskgmm.rows.grid_rows import GridRows
from daskgmm.rows.labelled import Labelled
from daskgmm.rows.rows import Rows
from daskgmm.storage_options import masking

CHUNK_ROWS = 1 << 17
"""Rows of a chunk, about: 2 MB of 18 posteriors in uint8, 9 MB in float32."""

ROW = "row"
"""The dimension of rows that have no labels."""

STORED_AS = (
    "chunks",
    "shards",
    "preferred_chunks",
    "compressor",
    "compressors",
    "filters",
    "serializer",
)
"""How coordinates were stored, which need not fit where they are written."""

Cut = int | Mapping[str, int] | None


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


@dataclass(frozen=True, slots=True)
class Source:
    """Rows to predict, and how the arrays for them are cut.

    Attributes
    ----------
    rows : Rows
    layout : Layout
    template : xarray.Dataset or None
        Coordinates to write.
    grid : tuple of tuple of int, or None
        Lengths of the blocks along each axis, where rows lie on a grid of several.
    """

    rows: Rows
    layout: Layout
    template: Any = None
    grid: tuple[tuple[int, ...], ...] | None = None


@masking
def write_predictions(
    predictor: Predictor,
    x: Rows | Labelled,
    out: str | os.PathLike[str],
    outputs: Sequence[str],
    *,
    dtype: str = "float32",
    top: int = 2,
    chunks: Cut = None,
    shards: Cut = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    source_name: str | None = None,
) -> Written:
    """Write predictions of all rows; see `Mixture.predict_to_zarr`."""
    k = predictor.parameters.n_components
    wanted = Outputs.of(outputs, k, dtype, top, missing=predictor.view.drop_missing)
    target = ZarrTarget(out, overwrite, storage_options)
    source = source_of(x, chunks, shards)
    data = predictor.dataset(source.rows)
    if source.grid is None:
        data = replace(data, batches=aligned(data.batches, source.rows, source.layout.unit[0]))
    identity = {
        **_identity(predictor, wanted, source, data.batches),
        "source": None if source_name is None else plain_digest(source_name),
    }
    kept = target.kept(identity)
    if kept is None:
        arrays = target.begin(
            source.layout,
            wanted,
            identity,
            source.template,
            k,
            _coordinates(wanted, k, top),
        )
    else:
        arrays = target.arrays(wanted)
    try:
        mending = _written(
            data, predictor, wanted, source, target, arrays, kept, identity, progress
        )
    except DataError:
        # The same call would end here again.
        target.discard()
        raise
    target.finish(arrays)
    return Written(
        os.fspath(out),
        int(np.prod(source.layout.shape, dtype=np.int64)),
        mending.counts[:k],
        int(mending.counts[k]),
    )


def _written(
    data: Dataset,
    predictor: Predictor,
    wanted: Outputs,
    source: Source,
    target: ZarrTarget,
    arrays: Mapping[str, Any],
    kept: tuple[set[int], list[int]] | None,
    identity: Mapping[str, Any],
    progress: Progress | None,
) -> Mending:
    """Write what is missing, batch by batch, and keep the journal."""
    retries = Running.configured().retries
    n, unit = int(source.rows.n_rows or 0), source.layout.unit[0]
    done, counts = kept or (set(), [0] * (predictor.parameters.n_components + 1))
    batches = {batch.index: batch for batch in data.batches}
    mending = Mending(arrays, batches, unit, n, retries, set(done), np.array(counts, np.int64))
    work: Writing
    if source.grid is None:
        work = RowWriting(predictor, wanted, arrays, retries, unit, n)
    else:
        work = GridWriting(predictor, wanted, arrays, retries, source.grid)
    left = tuple(batch for batch in data.batches if batch.index not in done)
    if not left:
        return mending
    for result in each(replace(data, batches=left), work, progress, "daskgmm-predict"):
        check_read(batches[result.index], result.rows)
        mending.add(result)
        target.note(identity, mending.done, mending.counts.tolist())
    return mending


def check_read(batch: Batch, rows: int) -> None:
    """Raise `DataError` unless as many rows were read as the batch has."""
    if rows != batch.rows:
        raise DataError(
            f"{rows} rows were read where {batch.rows} were expected, in batch {batch.index}. Do "
            "not change the data while they are read; run again."
        )


def source_of(x: Rows | Labelled, chunks: Cut, shards: Cut) -> Source:
    """Return rows with the cut of the arrays for them.

    Raises
    ------
    DataError
        If the number of rows is not known.
    ValueError
        If chunks or shards do not fit the dimensions.
    """
    if isinstance(x, Rows):
        return Source(x, _row_layout((ROW,), x, chunks, shards, scaled=True))
    template = x.template.assign_attrs(kept_attributes(x))
    dims = tuple(map(str, x.dims))
    if len(dims) == 1:
        rows = x.rows()
        layout = _row_layout(dims, rows, chunks, shards, scaled=not x.lazy)
        return Source(rows, layout, _writable(template, layout))
    stacked = x.stacked
    if not x.lazy:
        stacked = da.from_array(stacked, chunks=("auto",) * len(dims) + (-1,))
    layout = _grid_layout(dims, stacked, chunks, shards)
    wanted = (*layout.unit, stacked.shape[-1])
    if any(set(c[:-1]) - {m} or c[-1] > m for c, m in zip(stacked.chunks, wanted, strict=True)):
        stacked = stacked.rechunk(wanted, method="tasks")
    rows = GridRows(stacked, dims)
    rows.columns = x.names
    return Source(rows, layout, _writable(template, layout), stacked.chunks[:-1])


def _writable(template: Any, layout: Layout) -> Any:
    """Return coordinates that Zarr takes: lazy ones in even chunks, as the arrays have them."""
    unit = dict(zip(layout.dims, layout.unit, strict=True))
    found = template.copy()
    for name, place in found.coords.items():
        for setting in STORED_AS:
            place.encoding.pop(setting, None)
        if place.chunks is not None:
            found[name] = place.chunk({dim: unit[str(dim)] for dim in place.dims})
    return found


def _row_layout(
    dims: tuple[str, ...], rows: Rows, chunks: Cut, shards: Cut, *, scaled: bool
) -> Layout:
    n = rows.n_rows
    if n is None:
        raise DataError(
            "The number of rows is not known before they are read. For a dask array call "
            "X.compute_chunk_sizes() first; for a data frame "
            "write to Parquet instead, with predict_to_parquet."
        )
    sizes = _sizes(chunks, dims, (_chunk_rows(rows, scaled=scaled),), (n,))
    return Layout(dims, (n,), *_with_shards(sizes, shards, dims, (n,)))


def _chunk_rows(rows: Rows, *, scaled: bool) -> int:
    """Return the rows of a chunk: as those that are read, or a multiple, where these are alike."""
    lengths = rows.lengths
    alike = (
        len(lengths) > 0 and (lengths[:-1] == lengths[0]).all() and 0 < lengths[-1] <= lengths[0]
    )
    if not alike:
        return CHUNK_ROWS
    return int(lengths[0]) * (max(1, round(CHUNK_ROWS / int(lengths[0]))) if scaled else 1)


def _grid_layout(dims: tuple[str, ...], stacked: Any, chunks: Cut, shards: Cut) -> Layout:
    shape = stacked.shape[:-1]
    sizes = _sizes(chunks, dims, tuple(max(each) for each in stacked.chunks[:-1]), shape)
    return Layout(dims, shape, *_with_shards(sizes, shards, dims, shape))


def _sizes(
    given: Cut, dims: tuple[str, ...], default: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[int, ...]:
    """Return lengths along the dimensions, those given in place of the defaults."""
    named = {dims[0]: given} if isinstance(given, int) else dict(given or {})
    unknown = [name for name in named if name not in dims]
    if unknown or any(int(size) < 1 for size in named.values()):
        raise ValueError(f"chunks or shards are {given!r}; give lengths of {', '.join(dims)}.")
    found = (int(named.get(dim, size)) for dim, size in zip(dims, default, strict=True))
    return tuple(max(1, min(size, whole)) for size, whole in zip(found, shape, strict=True))


def _with_shards(
    chunks: tuple[int, ...], shards: Cut, dims: tuple[str, ...], shape: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    if shards is None:
        return chunks, None
    # Not cut at the end of the array: a shard holds whole chunks.
    sizes = _sizes(
        shards, dims, chunks, tuple(max(*pair) for pair in zip(shape, chunks, strict=True))
    )
    wrong = [dim for dim, s, c in zip(dims, sizes, chunks, strict=True) if s % c]
    if wrong:
        raise ValueError(
            f"A shard holds whole chunks, and along {', '.join(wrong)} shards of {sizes} are no "
            f"multiples of chunks of {chunks}. Give both."
        )
    return chunks, sizes


def _coordinates(outputs: Outputs, k: int, top: int) -> dict[str, range]:
    dims = {dim for each in outputs.arrays for dim in each.dims}
    lengths = {COMPONENT: k, RANK: top}
    return {dim: range(lengths[dim]) for dim in sorted(dims)}


def _identity(
    predictor: Predictor, outputs: Outputs, source: Source, batches: Sequence[Batch]
) -> dict[str, Any]:
    """Return what a run must have in common with one that it goes on from."""
    arrays = [(each.name, each.shape, str(each.dtype), each.fill) for each in outputs.arrays]
    layout = source.layout
    return {
        "model": predictor.digest,
        "outputs": plain_digest(arrays),
        "layout": plain_digest((layout.dims, layout.shape, layout.chunks, layout.shards)),
        "rows": rows_digest(source.rows),
        "batches": len(batches),
    }
