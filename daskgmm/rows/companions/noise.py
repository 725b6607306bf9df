"""Variances of the noise of rows, in the chunks of the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from daskgmm.counting import counted
from daskgmm.errors import DataError
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.checks.layout import check_real
from daskgmm.rows.checks.naming import check_among
from daskgmm.rows.checks.plain import checked, plain, unmasked
from daskgmm.rows.checks.whereabouts import naming
from daskgmm.rows.compositions.concatenated import ConcatenatedRows
from daskgmm.rows.grid import check_chunks
from daskgmm.rows.labelled.arrays import Labelled, labelled
from daskgmm.rows.labelled.grid_rows import GridRows
from daskgmm.rows.lazy.dask_array import DaskRows
from daskgmm.rows.matching import FIND_LENGTHS
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source, path_of
from daskgmm.rows.sources import source_of

NAME = "noise_variance"


def column_names(given: Any) -> tuple[str, ...] | None:
    """Return names of columns, if they are a list or tuple of texts; None for other objects."""
    if isinstance(given, (list, tuple)) and given and all(isinstance(n, str) for n in given):
        return tuple(given)
    return None


def constant_of(given: Any, d: int, n_rows: int | None) -> NDArray[np.float64] | None:
    """Return noise that is the same for all rows as variances (d,) or a matrix (d * d,).

    None if there is some for each row.

    Raises
    ------
    DataError
        If there are as many rows as features, and a symmetric matrix may be that of all rows or the
        variances of each.
    """
    if path_of(given) is not None or column_names(given) is not None or is_by_part(given):
        return None
    if not isinstance(given, (np.ndarray, np.number, float, int, list, tuple)):
        return None
    array = plain(given, NAME)
    check_real(array.dtype, NAME)
    if array.ndim == 0:
        return np.full(d, array, np.float64)
    if array.shape == (d,):
        return array.astype(np.float64)
    if array.shape != (d, d):
        return None
    if n_rows == d and d > 1:
        if (array == array.T).all():
            raise DataError(
                f"{NAME} has the shape {array.shape}, of {d} rows of {d} features: it may be the "
                f"covariance of all rows, or the variances of each. Give matrices ({d}, {d}, {d}): "
                f"numpy.broadcast_to({NAME}, ({d}, {d}, {d})) or {NAME}[:, :, None] * "
                f"numpy.eye({d})."
            )
        return None
    return array.astype(np.float64).reshape(-1)


def noise_for(rows: Rows, given: Any, beside: Source | None = None) -> Rows:
    """Return the noise of `rows` as blocks (m, e) with the same `lengths`.

    e is d, variances of the features, or d * d, a covariance matrix, row by row. `given` is an
    array of one of the shapes (n, d) and (n, d, d), or a path or URL, with the options of the
    source `beside`; or without an axis of rows, as `constant_of` says.

    Raises
    ------
    DataError
        If shapes, types or chunks do not go together. Values are not checked here.
    """
    with naming(path_of(given)):
        found = _noise_for(rows, given, beside)
    found.source = found.source or path_of(given)
    return found


def _noise_for(rows: Rows, given: Any, beside: Source | None) -> Rows:
    d, n = rows.n_features, rows.n_rows
    if isinstance(given, Rows) and _is_noise_of(given, rows):
        return given
    constant = constant_of(given, d, n)
    if constant is not None:
        return ConstantRows(constant, rows)
    if isinstance(given, da.Array):
        return _of_dask(rows, given)
    if is_by_part(given) and rows.parts:
        return _by_part(rows.parts, given, beside)
    source = source_of(given, None if beside is None else beside.options)
    check_order(source.names, rows.columns)
    if not is_stored(given):
        values = plain(checked(given, NAME), NAME)
        check_real(values.dtype, NAME)
        return _of_values(rows, values)
    found = source.checked_rows()
    check_order(found.columns, rows.columns)
    if found.n_features != d:
        raise _wrong_shape((found.n_rows, found.n_features), d, n)
    if not found.reads:
        blocks = found.segment(0, len(found.lengths)).stream()
        return _of_values(rows, np.concatenate([np.empty((0, d), found.dtype), *blocks]))
    if found.lengths.tolist() != rows.lengths.tolist():
        raise DataError(
            f"{NAME} is cut into {len(found.lengths)} chunks and X into {len(rows.lengths)}, at "
            "other rows. Give it as an array of Dask (dask.array.from_zarr), which is cut anew, or "
            "chunk both alike."
        )
    return found


def _is_noise_of(given: Rows, rows: Rows) -> bool:
    """Return whether rows are noise as this module makes it, without names and in these chunks."""
    alike = given.lengths.tolist() == rows.lengths.tolist()
    return (
        alike
        and given.columns is None
        and given.n_features in (rows.n_features, rows.n_features**2)
    )


def is_by_part(given: Any) -> bool:
    """Return whether noise is a list of arrays of several rows each, or of what is stored."""
    return (
        isinstance(given, (list, tuple))
        and bool(given)
        and all(is_stored(part) or getattr(part, "ndim", 0) > 1 for part in given)
    )


def _by_part(parts: Sequence[Rows], given: Sequence[Any], beside: Source | None) -> Rows:
    if len(parts) != len(given):
        raise DataError(
            f"{NAME} is a list of {counted(len(given), 'array')}, but X is a list of {len(parts)}. "
            "Give one array for each element of X, or one for all rows."
        )
    pairs = zip(parts, given, strict=True)
    return ConcatenatedRows([noise_for(part, noise, beside) for part, noise in pairs])


def is_stored(given: Any) -> bool:
    """Return whether noise is a path, or an array whose values are elsewhere."""
    return path_of(given) is not None or hasattr(given, "chunks") or isinstance(given, Rows)


def check_order(names: Sequence[str] | None, features: Sequence[str] | None) -> None:
    """Raise `DataError` if noise has the names of the features in another order."""
    if names and features and names != features and sorted(names) == sorted(features):
        raise DataError(
            f"{NAME} has the names of the features in another order: {', '.join(names)}, and X "
            f"{', '.join(features)}. Give it in that of X."
        )


def _of_values(rows: Rows, values: NDArray[Any]) -> Rows:
    d, n = rows.n_features, rows.n_rows
    if n is None:
        raise DataError(
            f"X has chunks of unknown length, so {NAME} in memory cannot be matched to them. Make "
            f"it columns beside the features, and give their names; or {FIND_LENGTHS}."
        )
    check_shape(values.shape, d, n)
    return ArrayRows(np.ascontiguousarray(values.reshape(n, -1)), rows.lengths)


def _of_dask(rows: Rows, array: da.Array) -> Rows:
    d, n = rows.n_features, rows.n_rows
    check_real(array.dtype, NAME)
    unmasked(array._meta, NAME)
    known = array.shape[0] == array.shape[0]
    check_shape(array.shape, d, n if known else None)
    if array.ndim == 3:
        array = array.rechunk({1: -1, 2: -1}).reshape(array.shape[0], d * d)
    elif array.ndim == 1:
        array = array[:, None]
    if known and n is not None:
        if list(array.chunks[0]) != rows.lengths.tolist():
            array = array.rechunk({0: tuple(rows.lengths.tolist())}, method="tasks")
    elif len(array.chunks[0]) != len(rows.lengths):
        raise DataError(
            f"{NAME} and X have chunks of lengths that are not all known, and not as many of them, "
            f"so they cannot be matched; chunk both alike, or {FIND_LENGTHS}."
        )
    return DaskRows(array, rows.lengths)


def check_shape(shape: tuple[Any, ...], d: int, n: int | None) -> None:
    """Raise `DataError` unless an array of this shape is the noise of n rows of d features."""
    of_rows = [(d,), (d, d)] + ([()] if d == 1 else [])
    if not shape or tuple(shape[1:]) not in of_rows or (n is not None and shape[0] != n):
        raise _wrong_shape(shape, d, n)


def _wrong_shape(shape: tuple[Any, ...], d: int, n: int | None) -> DataError:
    rows = "n" if n is None else n
    return DataError(
        f"{NAME} has the shape {tuple(shape)}, and X {rows} rows of {d} features. Give variances "
        f"of the shape ({rows}, {d}), covariance matrices ({rows}, {d}, {d}), or what all rows "
        f"share: ({d},) or ({d}, {d})."
    )


def check_number(names: Sequence[str], d: int) -> None:
    """Raise `DataError` unless there are as many names as features."""
    if len(names) != d:
        raise DataError(
            f"{NAME} names {len(names)} columns, and X has {d} features beside them. Give one for "
            "each feature, in the order of these."
        )


def columns_as_noise(source: Source, names: Sequence[str], rows: Rows) -> Rows:
    """Return columns of the table of a source as the variances of its rows, in the order of names.

    Raises
    ------
    DataError
        If there are none of these names, or not as many as features.
    """
    check_number(names, rows.n_features)
    if source.names:
        check_among(names, source.names, "X")
    if not source.validated:
        return noise_for(rows, source.checked_rows(names))
    if not source.names:
        raise nameless(names)
    return ArrayRows(np.asarray(source.keeping(names).values()[list(names)]), rows.lengths)


def nameless(names: Sequence[str]) -> DataError:
    """Return the error for columns that are named, of X whose columns have no names."""
    return DataError(
        f"X has no column {names[0]!r}, as its columns have no names. Give {NAME} as one array, or "
        "as the path of one."
    )


def grid_noise(grid: Labelled, noise: Any) -> Rows:
    """Return labelled noise as rows, point by point as those of a grid.

    Raises
    ------
    DataError
        If it has other points, or not as many features.
    """
    stacked = noise_on_grid(grid, noise)
    if not grid.lazy:
        return ArrayRows(stacked.reshape(-1, stacked.shape[-1]), grid.rows().lengths)
    return GridRows(stacked, tuple(map(str, grid.dims)))


def wide_grid(grid: Labelled, noise: Any) -> Labelled:
    """Return a grid with the variances of its noise behind its features; raises as `grid_noise`."""
    parts = [grid.stacked, noise_on_grid(grid, noise)]
    if not grid.lazy:
        return replace(grid, stacked=np.concatenate(parts, axis=-1))
    return replace(grid, stacked=da.concatenate(parts, axis=-1).rechunk({-1: -1}))


def noise_on_grid(grid: Labelled, noise: Any) -> Any:
    """Return labelled noise, (*sizes of dims, d), in the chunks of a grid; raises `DataError`."""
    import xarray as xr

    among = set(map(str, getattr(noise, "dims", ())))
    features = [dim for dim in grid.feature_dims if str(dim) in among]
    found = labelled(noise, features or None)
    if set(found.dims) != set(grid.dims):
        raise DataError(
            f"{NAME} has the dimensions {', '.join(map(str, found.dims))}, and the rows of X "
            f"{', '.join(map(str, grid.dims))}. Give one value for each point."
        )
    try:
        xr.align(grid.template, found.template, join="exact")
    except ValueError:
        raise DataError(
            f"{NAME} and X differ in their coordinates, so they cannot be matched. Align them "
            "first, for example with noise.reindex_like(X)."
        ) from None
    order = [found.dims.index(dim) for dim in grid.dims]
    stacked, d = found.stacked.transpose(*order, len(order)), len(grid.names)
    if len(found.names) != d:
        raise DataError(
            f"{NAME} has {len(found.names)} features, and X {d}. Give one variance for each, in "
            "their order."
        )
    check_order(found.names, grid.names)
    if stacked.shape != grid.stacked.shape:
        raise DataError(f"{NAME} has the shape {stacked.shape}, and X {grid.stacked.shape}.")
    if not grid.lazy:
        return np.asarray(stacked)
    chunks = (*grid.stacked.chunks[:-1], (d,))
    lazy = stacked if isinstance(stacked, da.Array) else da.from_array(stacked, chunks=chunks)
    return lazy.rechunk(chunks)


@dataclass(frozen=True, slots=True)
class ConstantSegment:
    """Chunks of rows that are all the same, (e,): lengths are those of the chunks."""

    values: NDArray[np.float64]
    lengths: tuple[int, ...]

    dependencies: ClassVar[tuple[()]] = ()

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the chunks as views of one row."""
        for m in self.lengths:
            yield np.broadcast_to(self.values, (m, len(self.values)))


class ConstantRows(Rows):
    """Rows that are all the same, (e,), in the chunks of other rows."""

    reads = False

    def __init__(self, values: NDArray[np.float64], rows: Rows) -> None:
        if rows.n_rows is None:
            raise DataError(
                f"X has chunks of unknown length, so {NAME} that all rows share cannot be put "
                f"beside them; {FIND_LENGTHS}."
            )
        self.values, self.lengths = values, rows.lengths
        self.dtype, self.n_features = values.dtype, len(values)

    @property
    def row_nbytes(self) -> int:
        """0: nothing is read."""
        return 0

    def segment(self, first: int, stop: int) -> ConstantSegment:
        """Return the chunks `first` to `stop` (exclusive)."""
        check_chunks(first, stop, len(self.lengths))
        return ConstantSegment(self.values, tuple(map(int, self.lengths[first:stop])))
