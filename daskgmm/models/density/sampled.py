"""Rows that are drawn from a mixture."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from daskgmm.errors import SettingError
from daskgmm.models.density.regressing import Regressing
from daskgmm.models.density.sample_blocks import Sampler, sample_lazily
from daskgmm.models.density.zarr_array import check_free, write_array
from daskgmm.models.settings.outliers import box_of
from daskgmm.names import FLOATS
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions


class Sampled(Regressing):
    """A mixture from which any number of rows can be drawn."""

    _is_base = True

    def sample_lazily(
        self, n_samples: int, *, chunks: int | None = None, seed: int | None = None,
        dtype: str = "float64",
    ) -> tuple[Any, Any]:  # fmt: skip
        """Return any number of rows and their components as lazy Dask arrays.

        Row i depends on the mixture, the seed and i alone, not on chunks, workers or `n_samples`:
        rows come in blocks of 16,384, each with a stream of its own. They are in no order, and
        others than those of `sample`.

        Parameters
        ----------
        n_samples : int
            Number of rows, n.
        chunks : int, optional
            Rows of a chunk. By default about 32 MB, in whole blocks; a chunk draws the blocks at
            its ends as a whole.
        seed : int, optional
            By default `random_state` if that is an int, else a number from it.
        dtype : {"float64", "float32"}
            Of the rows.

        Returns
        -------
        X : dask.array.Array of shape (n, d)
            The rows, in the units of the data.
        y : dask.array.Array of int64, shape (n,)
            The component of each row, -1 for the noise. Computed with X it takes no more time.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> X, y = mixture.sample_lazily(1_000_000_000, seed=0)
        >>> X.shape
        (1000000000, 1)
        """
        check_whole("n_samples", n_samples, 1)
        if chunks is not None:
            check_whole("chunks", chunks, 1)
        if dtype not in FLOATS:
            raise SettingError(f"dtype is {dtype!r}; give one of {', '.join(FLOATS)}.")
        return sample_lazily(self._sampler(self._seed(seed)), n_samples, chunks, dtype)

    def sample_to_zarr(
        self, n_samples: int, out: str | os.PathLike[str], *, chunks: int | None = None,
        seed: int | None = None, dtype: str = "float64", overwrite: bool = False,
        storage_options: StorageOptions | None = None,
    ) -> None:  # fmt: skip
        """Write any number of rows to a Zarr array (n, d), chunk by chunk.

        They are those of `sample_lazily`; memory is that of a few chunks a thread. A local array is
        written beside `out` and moved there when whole.

        Parameters
        ----------
        n_samples, chunks, seed, dtype : as in `sample_lazily`
        out : path or URL
            Of the array, ending in .zarr or without a suffix.
        overwrite : bool
            Whether a Zarr array at `out` may be replaced.
        storage_options : mapping, optional
            Of the URL, as fsspec takes them.

        Raises
        ------
        FileExistsError, FileNotFoundError
            If `out` exists and may not be replaced, or its folder does not exist.
        SettingError
            If a setting cannot be used.

        Examples
        --------
        >>> import zarr
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> mixture.sample_to_zarr(10_000, "rows.zarr", seed=0)
        >>> zarr.open_array("rows.zarr").shape
        (10000, 1)
        """
        address = Address.of(out, storage_options)
        check_free(address, overwrite)
        rows, _ = self.sample_lazily(n_samples, chunks=chunks, seed=seed, dtype=dtype)
        write_array(rows, address, overwrite=overwrite)

    def _sampler(self, seed: int) -> Sampler:
        check_is_fitted(self)
        parameters = self._parameters()
        box = box_of(self) if parameters.has_noise else None
        return Sampler(parameters, self._coordinates(), box, seed)

    def _seed(self, seed: int | None) -> int:
        if seed is not None:
            return seed_of(seed)
        own = self.random_state
        if isinstance(own, (int, np.integer)):
            check_whole("random_state", own, 0)
            return int(own)
        return int(check_random_state(own).randint(2**31))


def seed_of(seed: Any) -> int:
    """Return a seed as an integer; raise `SettingError` unless it is one."""
    check_whole("seed", seed, 0)
    return int(seed)


def check_whole(name: str, value: Any, least: int) -> None:
    """Raise `SettingError` unless a value is a whole number that is large enough."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least:
        raise SettingError(f"{name} is {value!r}; give a whole number, {least} or more.")
