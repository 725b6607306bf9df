"""The label file: the component of every row, streamed to a Zarr array."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from daskgmm.errors import DataError
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.inputs import scoring_rows
from daskgmm.models.prediction import Predictor, predict_block
from daskgmm.passes.batches import Batch
from daskgmm.passes.sweep import each
from daskgmm.passes.task import Progress
from daskgmm.passes.tiles import Block
from daskgmm.rows.rows import Rows

CHUNK_ROWS = 1 << 20
"""Rows of a chunk of labels: 1 MiB of uint8, before compression."""


def write_labels(
    mixture: GaussianMixture,
    x: Any,
    out: str | os.PathLike[str],
    progress: Progress | None = None,
    *,
    overwrite: bool = False,
) -> NDArray[np.int64]:
    """Write the most probable component of each row to a Zarr array (format 3).

    One pass; batches may end in any order, but only this process writes, in the order of
    the rows, and each chunk once. The array is written aside and moved to `out` when whole.

    Parameters
    ----------
    mixture : GaussianMixture
        Fitted.
    x : as in `GaussianMixture.predict`
        With a known number of rows, n.
    out : str or path
        A local path; there comes an array of shape (n,), of the smallest unsigned type.
    progress : callable, optional
        Called with the number of batches done and their total.
    overwrite : bool, default=False
        Whether to replace a Zarr array at `out`, once the new one is whole.

    Returns
    -------
    ndarray of int64, shape (k,)
        The number of rows of each component.

    Raises
    ------
    FileExistsError
        If `out` exists and may not be replaced.
    ValueError
        If the rows cannot be labelled (`daskgmm.errors.DataError`), or `out` is a URL.
    """
    check_is_fitted(mixture)
    target = label_path(out, overwrite)
    rows = scoring_rows(mixture, x)
    if rows.n_rows is None:
        raise DataError(
            "The number of rows is not known before they are read. For a dask array call "
            "X.compute_chunk_sizes() first."
        )
    aside = target.with_name(f"{target.name}.partial-{os.getpid()}")
    try:
        counts = _write(mixture, rows, aside, progress)
        _move(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return counts


def label_path(out: str | os.PathLike[str], overwrite: bool) -> Path:
    """Return where labels go; raise unless they may go there.

    Raises
    ------
    ValueError
        If it is a URL.
    FileNotFoundError
        If the folder that it names does not exist.
    FileExistsError
        If it exists, and is no Zarr array or `overwrite` is false.
    """
    if "://" in os.fspath(out):
        raise ValueError(
            f"Labels are written to local paths, and {out} is a URL. Write them from Python: "
            "mixture.predict(X).to_zarr(url)."
        )
    path = Path(out)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} for {out}. Make it first.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{out} exists.")
    if path.exists() and not _is_array(path):
        raise FileExistsError(f"{out} exists and is no Zarr array, so it is not overwritten.")
    return path


def label_dtype(k: int) -> np.dtype[Any]:
    """Return the smallest unsigned type that holds the labels 0 to k - 1."""
    return np.min_scalar_type(k - 1)


@dataclass(frozen=True, slots=True)
class LabelWork:
    """Labels one batch.

    Attributes
    ----------
    predictor : Predictor
    dtype : numpy.dtype
        Small already where it is made: this is what waits for its turn and what travels.
    """

    predictor: Predictor
    dtype: np.dtype[Any]

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> NDArray[Any]:
        """Return the labels of the batch's rows, shape (m,)."""
        return predict_block(self.predictor, "labels", batch, blocks).astype(self.dtype)


def _write(
    mixture: GaussianMixture, rows: Rows, path: Path, progress: Progress | None
) -> NDArray[np.int64]:
    """Stream the labels of all rows to a new array at `path`; return the counts."""
    predictor = Predictor(mixture._parameters())
    n, k = int(rows.n_rows or 0), predictor.parameters.n_components
    dtype = label_dtype(k)
    array = zarr.create_array(
        path,
        shape=(n,),
        chunks=(max(1, min(n, CHUNK_ROWS)),),
        dtype=dtype,
        zarr_format=3,
        attributes={"long_name": "most probable component", "n_components": k},
    )
    counts, written = np.zeros(k, np.int64), 0
    data = predictor.dataset(rows)
    batches = each(data, LabelWork(predictor, dtype), progress)
    for chunk in in_chunks(batches, CHUNK_ROWS, dtype):
        array[written : written + len(chunk)] = chunk
        written += len(chunk)
        counts += np.bincount(chunk, minlength=k)
    if written != n:
        raise DataError(
            f"{written} rows were read where {n} were expected. Do not change the data while "
            "they are labelled; run again."
        )
    return counts


def in_chunks(
    parts: Iterator[NDArray[Any]], size: int, dtype: np.dtype[Any]
) -> Iterator[NDArray[Any]]:
    """Cut a stream of arrays anew, into arrays of `size` entries; the last may be shorter.

    What is yielded is a buffer: it is valid until the next one is asked for.
    """
    buffer, filled = np.empty(size, dtype), 0
    for part in parts:
        taken = 0
        while taken < len(part):
            m = min(len(part) - taken, size - filled)
            buffer[filled : filled + m] = part[taken : taken + m]
            taken, filled = taken + m, filled + m
            if filled == size:
                yield buffer
                filled = 0
    if filled:
        yield buffer[:filled]


def _is_array(path: Path) -> bool:
    try:
        return isinstance(zarr.open(path, mode="r"), zarr.Array)
    except Exception:  # whatever a store that is none may raise
        return False


def _move(aside: Path, target: Path) -> None:
    """Move a whole array into place; what was there goes once the new one has its name."""
    if not target.exists():
        aside.rename(target)
        return
    old = target.with_name(f"{target.name}.replaced-{os.getpid()}")
    target.rename(old)
    try:
        aside.rename(target)
    except BaseException:
        old.rename(target)
        raise
    if old.is_dir():
        shutil.rmtree(old)
    else:
        old.unlink()
