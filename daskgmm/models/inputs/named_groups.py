"""Groups of rows that have names: numbers in place of texts and categories.

The number of a name is a hash of 53 bits, which float64 holds. So nothing lists the names, lazy
data stay so, and a name has the same number in every source. Two of 1e5 names share a number, and
are one group then, with a probability of 6e-7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.companions import GROUPS, Companions
from daskgmm.em.scores import BEYOND, too_large
from daskgmm.errors import DataError
from daskgmm.models.inputs.target import in_memory
from daskgmm.rows.checks.plain import unmasked
from daskgmm.rows.companions.noise import column_names
from daskgmm.rows.compositions.mapped import MappedRows
from daskgmm.rows.source import Source
from daskgmm.rows.sources import source_of
from daskgmm.rows.tables.frames import is_dask_frame
from daskgmm.rows.texts import Texts

UNUSED_BITS = 11
"""Bits of a hash beyond those that float64 holds."""

NAMES = "OUST"
"""Kinds of types whose values are names: objects and texts."""


def numbers_of(names: NDArray[Any]) -> Array:
    """Return a number from 0 to 2^53 for each name, the same for equal ones; NaN for a missing one.

    Objects that are numbers stay these, whatever comes with them: a chunk does not know of others.

    Raises
    ------
    DataError
        For whole numbers that float64 does not hold, and texts that are not valid Unicode.
    """
    flat = np.asarray(names).reshape(-1).astype(object)
    missing = np.asarray(pd.isna(flat))
    counted = np.array([isinstance(value, (int, float, np.number)) for value in flat], bool)
    counted &= ~missing
    numbers, texts = np.full(len(flat), np.nan), ~(counted | missing)
    for value in flat[counted]:
        if isinstance(value, (int, np.integer)) and abs(int(value)) >= BEYOND:
            raise too_large(str(value))
    numbers[counted] = flat[counted].astype(np.float64)
    try:
        hashes = pd.util.hash_array(flat[texts])
    except UnicodeEncodeError as error:
        raise DataError(
            f"Input groups contains {error.object!a}, a text with half of a pair of surrogates: "
            "nothing tells what it stands for. Read its file in the encoding that it was "
            "written in, or give numbers, such as pandas.factorize(ids)[0]."
        ) from error
    numbers[texts] = hashes >> np.uint64(UNUSED_BITS)
    return numbers.reshape(np.shape(names))


def numbered_groups(
    source: Source, groups: Any, features: Sequence[str] | None, beside: Companions[Any]
) -> tuple[Source, Any]:
    """Return X and its groups, as numbers where they were names.

    A column of names is left out of X, which keeps the features, by default all other columns, and
    what else goes beside them. What is neither texts nor categories is returned as it is given.
    """
    if not isinstance(groups, str):
        return source, _numbered(groups)
    columns = None if features is None else (*features, *_named(source, features, beside))
    if is_dask_frame(source.x):
        return _of_partitions(source, groups), groups
    if source.validated or source.labelled:
        found = source.split(groups, columns, GROUPS)
        if found is None or not _has_names(found[1].x):
            return source, groups
        return found[0], _numbered(found[1].x)
    split = source.texts(groups, columns)
    return (source, groups) if split is None else (split[0], _of_texts(split[1]))


def _named(source: Source, features: Sequence[str], beside: Companions[Any]) -> Iterator[str]:
    """Yield columns that go beside rows and are no features."""
    for part in beside:
        for name in (part,) if isinstance(part, str) else column_names(part) or ():
            if name in source.names and name not in features:
                yield name


def _numbered(groups: Any) -> Any:
    """Return groups that are no name of a column, as numbers if these are names themselves."""
    if is_dask_frame(groups):
        return _of_series(groups) if groups.ndim == 1 and _has_names(groups) else groups
    if isinstance(groups, da.Array):
        named = _has_names(groups)
        return da.map_blocks(numbers_of, groups, dtype=np.float64) if named else groups
    if source_of(groups).labelled:
        return _on_grid(groups) if _has_names(groups) else groups
    if isinstance(groups, (list, tuple)) and groups and all(np.ndim(part) for part in groups):
        return [_numbered(part) for part in groups]
    if not in_memory(groups):
        return groups
    values = unmasked(groups, GROUPS)
    # An array of a list of names and None would have the name "None".
    values = np.asarray(values, object) if isinstance(groups, (list, tuple)) else np.asarray(values)
    return numbers_of(values) if values.dtype.kind in NAMES and values.ndim == 1 else groups


def _has_names(values: Any) -> bool:
    """Return whether an array or series has a type whose values are names."""
    dtype = values.dtype
    # Types of pandas and Polars that are no NumPy type: those of numbers have other kinds.
    return getattr(dtype, "kind", "O") in NAMES


def _of_partitions(source: Source, name: str) -> Source:
    """Return a data frame of Dask with numbers in place of names in a column."""
    frame = source.x
    if name not in frame.columns or not _has_names(frame[name]):
        return source
    return type(source)(frame.assign(**{name: _of_series(frame[name])}), source.options)


def _of_series(series: Any) -> Any:
    return series.map_partitions(_of_partition, meta=(series.name, np.float64))


def _of_partition(series: Any) -> Any:
    return pd.Series(numbers_of(series.to_numpy()), series.index, name=series.name)


def _on_grid(groups: Any) -> Any:
    import xarray

    return xarray.apply_ufunc(numbers_of, groups, dask="parallelized", output_dtypes=[np.float64])


def _of_texts(texts: Texts) -> Any:
    """Return the numbers of a column of texts: lazily where it is read."""
    if texts.reads:
        return MappedRows(texts, numbers_of, np.dtype(np.float64))
    blocks = texts.segment(0, len(texts.lengths)).stream()
    return numbers_of(np.concatenate([np.empty(0, object), *blocks]))
