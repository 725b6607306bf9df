"""Rows of a dataset of h5py, read in pieces."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError, SourceError
from daskgmm.loaded import loaded
from daskgmm.rows.decoding.nodata import DECLARING, PLAIN, Decoding, declared
from daskgmm.rows.stores.stored_rows import Lengths, StoredRows
from daskgmm.storage.address import Address


def is_hdf5(x: Any) -> bool:
    """Return whether x is a dataset of h5py, without importing it."""
    h5py = loaded("h5py")
    return h5py is not None and isinstance(x, h5py.Dataset)


def check_readable(dataset: Any) -> None:
    """Raise `DataError` if a dataset is in a closed file, or has no values."""
    if not dataset:
        raise DataError("The file of an h5py.Dataset is closed; open it, and keep it open.")
    if dataset.shape is None:
        raise DataError(f"The dataset {dataset.name} of HDF5 is empty: it has no shape.")


@dataclass(frozen=True, slots=True)
class Stored:
    """A dataset of a file, which other processes open again.

    Attributes
    ----------
    path : str or None
        Absolute path of the file; None if other processes cannot open it, as it is open for
        writing here, or is no file on a disk.
    name : str
        Name of the dataset in the file.
    dataset : h5py.Dataset or None
        The open dataset; None in other processes.
    """

    path: str | None
    name: str
    dataset: Any = None

    @classmethod
    def of(cls, dataset: Any) -> Stored:
        """Return the path and name of a dataset."""
        file, name = dataset.file, dataset.name
        path = Path(file.filename) if isinstance(file.filename, str) else None
        shared = path is not None and path.is_file() and file.mode == "r" and name is not None
        return cls(str(path.absolute()) if path and shared else None, name or "a dataset", dataset)

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Yield the dataset; close the file afterwards if it was opened for it."""
        if self.dataset is not None:
            yield self.dataset
            return
        import h5py

        assert self.path is not None
        with h5py.File(self.path, "r") as file:
            yield file[self.name]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows `start` to `stop` (exclusive) as they are stored."""
        what = f"Rows {start} to {stop} of {self} cannot be read on {socket.gethostname()}"
        advice = (
            "Its file must stay open until all is read, and be seen under this path by all workers."
        )
        place = Address(self.path or "")
        with place.explain(SourceError, what, advice), self.opened() as dataset:
            return np.asarray(dataset[start:stop])

    def __str__(self) -> str:
        return f"{self.name} of {self.path}" if self.path else self.name

    def __reduce__(self) -> tuple[Any, ...]:
        if self.path is None:
            raise DataError(
                f"The dataset {self.name} cannot be read by other processes: its file is open for "
                "writing, or is not a file on disk. Close it and open it with h5py.File(path, 'r')."
            )
        return Stored, (self.path, self.name)


class HDF5Rows(StoredRows):
    """Rows of a dataset of h5py, as of the same variable in NetCDF.

    A pass over a dataset of a file on disk may be sent to a cluster. The fill value of HDF5 itself
    declares nothing. Without chunks, a block is what decodes into 1 MiB.
    """

    def __init__(self, dataset: Any, lengths: Lengths = None) -> None:
        stored = Stored.of(dataset)
        super().__init__(dataset, stored.read, declared_by_hdf5(dataset), lengths)
        self.in_process, self.source = stored.path is None, stored.path


def declared_by_hdf5(dataset: Any) -> Decoding:
    """Return what the attributes of a dataset declare."""
    if dataset.dtype.kind not in "iuf":
        return PLAIN
    about = dataset.attrs
    return declared({name: about[name] for name in (*DECLARING, "dtype") if name in about})
