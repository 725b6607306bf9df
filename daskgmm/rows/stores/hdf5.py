"""Rows of a dataset of h5py, read in pieces."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError, SourceError
from daskgmm.rows.grid import check_chunks, given_lengths, offsets, regular_lengths
from daskgmm.rows.labelled.nodata import DECLARING, PLAIN, Decoding, declared, taken_as_missing
from daskgmm.rows.layout import check_rows, check_weights
from daskgmm.rows.retrying import retried
from daskgmm.rows.rows import Rows
from daskgmm.storage.address import Address

BLOCK_BYTES = 1 << 20
"""Decoded bytes of one read: several small chunks, or a part of what has no chunks."""


def is_hdf5(x: Any) -> bool:
    """Return whether x is a dataset of h5py, without importing it."""
    h5py = sys.modules.get("h5py")
    return h5py is not None and isinstance(x, h5py.Dataset)


def check_readable(dataset: Any) -> None:
    """Raise `DataError` if a dataset is in a closed file, or has no values."""
    if not dataset:
        raise DataError("The file of an h5py.Dataset is closed; open it, and keep it open.")
    if dataset.shape is None:
        raise DataError(f"The dataset {dataset.name} of HDF5 is empty: it has no shape.")


@dataclass(frozen=True, slots=True)
class Stored:
    """A dataset of a file: open here, opened again where it is unpickled.

    Attributes
    ----------
    path : str or None
        Of the file, absolute; None if other processes cannot open it: it is no file of its own,
        or is open for writing here.
    name : str
        Of the dataset in the file.
    dataset : h5py.Dataset or None
        None in other processes.
    """

    path: str | None
    name: str
    dataset: Any = None

    @classmethod
    def of(cls, dataset: Any) -> Stored:
        """Return what a dataset is and where."""
        file, name = dataset.file, dataset.name
        path = Path(file.filename) if isinstance(file.filename, str) else None
        shared = path is not None and path.is_file() and file.mode == "r" and name is not None
        return cls(str(path.absolute()) if path and shared else None, name or "a dataset", dataset)

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Yield the dataset; a file that is opened for it is closed afterwards."""
        if self.dataset is not None:
            yield self.dataset
            return
        import h5py

        assert self.path is not None
        with h5py.File(self.path, "r") as file:
            yield file[self.name]

    def __str__(self) -> str:
        return f"{self.name} of {self.path}" if self.path else self.name

    def __reduce__(self) -> tuple[Any, ...]:
        if self.path is None:
            raise DataError(
                f"The dataset {self.name} cannot be read by other processes: its file is open for "
                "writing, or is no file on disk. Close it and open it with h5py.File(path, 'r')."
            )
        return Stored, (self.path, self.name)


@dataclass(frozen=True, slots=True)
class HDF5Segment:
    """Consecutive row blocks of a dataset.

    Attributes
    ----------
    stored : Stored
    bounds : tuple of int
        The row at which each block begins, and at which the last one ends.
    decoding : Decoding
    """

    stored: Stored
    bounds: tuple[int, ...]
    decoding: Decoding = PLAIN

    @property
    def dependencies(self) -> tuple[()]:
        """None: the segment reads the file itself."""
        return ()

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Read and yield block after block."""
        for start, stop in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            yield self.decoding(retried(partial(self._read, start, stop), retries))

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        what = f"Rows {start} to {stop} of {self.stored} cannot be read on {socket.gethostname()}"
        advice = (
            "Its file must stay open until all is read, and be seen under this path by all workers."
        )
        place = Address(self.stored.path or "")
        with place.explain(SourceError, what, advice), self.stored.opened() as dataset:
            return np.asarray(dataset[start:stop])


class HDF5Rows(Rows):
    """Rows of a dataset of h5py: of a file on disk, a pass may be sent to a cluster.

    Values that its attributes declare as missing become NaN, packed numbers are unpacked (see
    `nodata`), as the same variable in NetCDF is. The fill value of HDF5 itself declares nothing.

    Parameters
    ----------
    dataset : h5py.Dataset of shape (n, d), or (n,) for weights
    lengths : sequence of int, optional
        Rows of each block, to follow the chunks of another source. By default as many whole
        chunks as decode into 1 MiB, and at least one.
    """

    def __init__(
        self, dataset: Any, lengths: Sequence[int] | NDArray[np.int64] | None = None
    ) -> None:
        (check_weights if dataset.ndim == 1 else check_rows)(dataset.shape, dataset.dtype)
        self._stored = Stored.of(dataset)
        self._decoding = declared_by_hdf5(dataset)
        self.taken_as_missing = taken_as_missing(self._decoding.nodata)
        self.dtype = self._decoding.dtype(dataset.dtype)
        self.n_features = 1 if dataset.ndim == 1 else int(dataset.shape[1])
        self.in_process = self._stored.path is None
        self.source = self._stored.path
        if lengths is None:
            self.lengths = regular_lengths(
                dataset.shape[0], rows_per_block(dataset, self.row_nbytes)
            )
        else:
            self.lengths = given_lengths(lengths, dataset.shape[0])
        self._offsets = offsets(self.lengths)

    def segment(self, first: int, stop: int) -> HDF5Segment:
        """Return the blocks `first` to `stop` (exclusive), unread."""
        check_chunks(first, stop, len(self.lengths))
        bounds = tuple(self._offsets[first : stop + 1].tolist())
        return HDF5Segment(self._stored, bounds, self._decoding)


def declared_by_hdf5(dataset: Any) -> Decoding:
    """Return what the attributes of a dataset declare."""
    if dataset.dtype.kind not in "iuf":
        return PLAIN
    about = dataset.attrs
    return declared({name: about[name] for name in (*DECLARING, "dtype") if name in about})


def rows_per_block(dataset: Any, row_nbytes: int) -> int:
    """Return the rows of one read: whole chunks, within `BLOCK_BYTES`."""
    fitting = max(1, BLOCK_BYTES // row_nbytes)
    unit = 1 if dataset.chunks is None else int(dataset.chunks[0])
    return unit * max(1, fitting // unit)
