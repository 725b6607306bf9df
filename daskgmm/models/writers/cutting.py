"""Cut of arrays of predictions, and of the rows with them: each chunk whole, each block once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dask.array as da

from daskgmm.counting import counted
from daskgmm.errors import DataError
from daskgmm.models.predictions.forms.labels import check_dims, check_names, kept_attributes
from daskgmm.models.predictions.made_outputs import Outputs
from daskgmm.models.writers.template import writable_template
from daskgmm.readers import remedy
from daskgmm.rows.labelled.arrays import Labelled
from daskgmm.rows.labelled.grid_rows import GridRows
from daskgmm.rows.rows import Rows

FIND_LENGTHS = (
    "For a dask array call X.compute_chunk_sizes() first; for a data frame write to Parquet "
    "instead, with predict_to_parquet."
)

CHUNK_ROWS = 1 << 17
"""Rows of a chunk, about: 2 MB of 18 posteriors in uint8, 9 MB in float32."""

LARGE_CHUNK_ROWS = 1 << 20
"""Rows of a chunk of X beyond which chunks of the target are smaller than those."""

MOST_BLOCK_BYTES = 1 << 30
"""Most bytes that a task may hold because chunks of X and of the target do not fit together."""

ROW = "row"
"""The dimension of rows that have no labels."""

Cut = int | Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class Layout:
    """Cut of the arrays.

    Attributes
    ----------
    dims : tuple of str
        Dimensions of the rows.
    shape, chunks : tuple of int
        Lengths of these, and of chunks along them.
    shards : tuple of int, or None
        Lengths of shards, in which chunks are kept.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None = None

    @property
    def lengths(self) -> dict[str, int]:
        """The unit by dimension."""
        return dict(zip(self.dims, self.unit, strict=True))

    @property
    def unit(self) -> tuple[int, ...]:
        """Unit that one process must write at once: a shard, or a chunk."""
        return self.chunks if self.shards is None else self.shards


@dataclass(frozen=True, slots=True)
class CutRows:
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


def cut_rows(x: Rows | Labelled, chunks: Cut, shards: Cut, outputs: Outputs) -> CutRows:
    """Return rows with the cut of the arrays for the outputs of them."""
    row_nbytes = outputs.row_nbytes
    if isinstance(x, Rows):
        return CutRows(x, _row_layout((ROW,), x, chunks, shards, row_nbytes, scaled=True))
    check_dims(x)
    check_names(x, (name for each in outputs.arrays for name in (each.name, *each.dims)))
    template = x.template.assign_attrs(kept_attributes(x))
    dims = tuple(map(str, x.dims))
    if len(dims) == 1:
        rows = x.rows()
        layout = _row_layout(dims, rows, chunks, shards, row_nbytes, scaled=not x.lazy)
        return CutRows(rows, layout, writable_template(template, layout.lengths))
    stacked = x.stacked if x.lazy else _in_blocks(x.stacked, dims, chunks, shards)
    layout = _grid_layout(dims, stacked, chunks, shards)
    blocks = tuple(map(common_blocks, stacked.chunks[:-1], layout.unit))
    if blocks != stacked.chunks[:-1]:
        nbytes = row_nbytes + stacked.shape[-1] * stacked.dtype.itemsize
        _check_size(math.prod(max(each) for each in blocks) * nbytes, layout, stacked.chunks)
        # Blocks of X are put together and never cut, so that each is read once.
        stacked = stacked.rechunk((*blocks, -1), method="tasks")
    rows = GridRows(stacked, dims)
    rows.columns = x.names
    return CutRows(rows, layout, writable_template(template, layout.lengths), blocks)


def common_blocks(lengths: tuple[int, ...], unit: int) -> tuple[int, ...]:
    """Return blocks whose borders are those of chunks of these lengths and multiples of `unit`."""
    edges = list(itertools.accumulate(lengths, initial=0))
    common = [edge for edge in edges[:-1] if edge % unit == 0] + edges[-1:]
    return tuple(stop - start for start, stop in itertools.pairwise(common))


def _in_blocks(stacked: Any, dims: tuple[str, ...], chunks: Cut, shards: Cut) -> Any:
    """Return what is in memory as a lazy array, in blocks as the target wants them."""
    given = shards if shards is not None else chunks
    auto = da.from_array(stacked, chunks=("auto",) * len(dims) + (-1,))
    if given is None:
        return auto
    shape = stacked.shape[:-1]
    return auto.rechunk((*_sizes(given, dims, shape, shape), -1))


def _check_size(nbytes: int, layout: Layout, chunks: Any) -> None:
    if nbytes > MOST_BLOCK_BYTES:
        cuts = ", ".join(
            f"{dim}: {max(own)} and {unit}"
            for dim, own, unit in zip(layout.dims, chunks, layout.unit, strict=False)
        )
        raise ValueError(
            f"Chunks of X and of the target ({cuts}) have so few borders in common that a task "
            f"would hold {nbytes / 1e9:.1f} GB. Give chunks or shards that are multiples of those "
            "of X, or parts of them; where X is cut unevenly, cut it anew with X.chunk(...)."
        )


def _row_layout(
    dims: tuple[str, ...], rows: Rows, chunks: Cut, shards: Cut, row_nbytes: int, *, scaled: bool
) -> Layout:
    n = rows.n_rows
    if n is None:
        raise DataError(
            "The number of rows is not known before they are read. "
            f"{remedy(FIND_LENGTHS, 'Write to Parquet: name --out so, such as labels.parquet.')}"
        )
    sizes = _sizes(chunks, dims, (_chunk_rows(rows, scaled=scaled),), (n,))
    layout = Layout(dims, (n,), *_with_shards(sizes, shards, dims, (n,)))
    if layout.unit[0] * row_nbytes > MOST_BLOCK_BYTES:
        raise ValueError(
            f"Chunks or shards of {counted(layout.unit[0], 'row')} take "
            f"{layout.unit[0] * row_nbytes / 1e9:.1f} GB, and each is written at once. Give "
            "smaller ones."
        )
    return layout


def _chunk_rows(rows: Rows, *, scaled: bool) -> int:
    """Return the rows of a chunk: as those that are read, or a multiple, where these are alike."""
    if not len(rows.lengths):
        return CHUNK_ROWS
    first, last = int(rows.lengths[0]), int(rows.lengths[-1])
    if (rows.lengths[:-1] != first).any() or not 0 < last <= first <= LARGE_CHUNK_ROWS:
        return CHUNK_ROWS
    return first * max(1, round(CHUNK_ROWS / first)) if scaled else first


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
    sizes = _sizes(shards, dims, chunks, tuple(map(max, shape, chunks)))
    wrong = [dim for dim, s, c in zip(dims, sizes, chunks, strict=True) if s % c]
    if wrong:
        raise ValueError(
            f"A shard holds whole chunks, and along {', '.join(wrong)} shards of {sizes} are not "
            f"multiples of chunks of {chunks}. Give both."
        )
    return chunks, sizes
