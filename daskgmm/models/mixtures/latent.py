"""Points that latent coordinates stand for, in the form of these: in memory, lazy, labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.errors import DataError
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.latent.latent_coordinates import n_factors, reconstructed
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.predictions.output import FACTOR
from daskgmm.rows.labelled.variables import is_labelled
from daskgmm.rows.tables.frames import is_dask_frame

FEATURE = "feature"
"""The dimension of points in labelled arrays, and its coordinate: the names of the features."""

RECONSTRUCTION = "reconstruction"
"""The name of labelled points."""


@dataclass(frozen=True, slots=True)
class Points:
    """Makes points of the data (n, d) of latent coordinates (n, q) and components (n,).

    Attributes
    ----------
    parameters : Parameters
        Of a structure with factors.
    coordinates : Coordinates or None
        Those that the mixture is in.
    names : sequence of str or None
        Names of the features.
    """

    parameters: Parameters
    coordinates: Coordinates | None
    names: Sequence[str] | None

    def of(self, latent: Any, labels: Any) -> Any:
        """Return points in the form of the coordinates.

        Raises
        ------
        DataError
            If these are of another shape or form, or a component does not exist.
        """
        if is_labelled(latent):
            return self._on_grid(latent, labels)
        if is_dask_frame(latent):
            return self._by_partition(latent, labels)
        if not hasattr(latent, "shape") or not hasattr(labels, "shape"):
            latent, labels = np.asarray(latent), np.asarray(labels)
        self._check_shapes(latent.shape, labels.shape)
        if hasattr(latent, "dask") or hasattr(labels, "dask"):
            return self._lazily(latent, labels)
        return self._points(np.asarray(latent), np.asarray(labels))

    @property
    def _columns(self) -> int:
        of_data = self.coordinates
        return self.parameters.n_features if of_data is None else of_data.n_columns

    def _check_shapes(self, latent: tuple[float, ...], labels: tuple[float, ...]) -> None:
        q = n_factors(self.parameters)
        whole = len(latent) == 2 and len(labels) == 1 and latent[1] == q
        # The number of rows of a lazy array may be unknown, and is nan then.
        if not whole or (latent[0] != labels[0] and latent[0] == latent[0]):
            raise DataError(
                f"Latent coordinates have the shape {latent} and labels {labels}; they need the "
                f"shapes (n, {q}) and (n,)."
            )

    def _on_grid(self, latent: Any, labels: Any) -> Any:
        import xarray as xr

        q, grid = n_factors(self.parameters), set(latent.dims) - {FACTOR}
        if not is_labelled(labels) or set(labels.dims) != grid or latent.sizes.get(FACTOR) != q:
            raise DataError(
                f"Latent coordinates are on {dict(latent.sizes)}, and need the dimension "
                f"{FACTOR!r} of length {q} and labels that are a DataArray on the others; give "
                "both as transform(X, return_labels=True) returns them."
            )
        points = xr.apply_ufunc(
            self._of_blocks, latent, labels, input_core_dims=[[FACTOR], []],
            output_core_dims=[[FEATURE]], dask="parallelized", output_dtypes=[np.float64],
            dask_gufunc_kwargs={"output_sizes": {FEATURE: self._columns}},
        )  # fmt: skip
        points = points.rename(RECONSTRUCTION)
        return points if self.names is None else points.assign_coords({FEATURE: list(self.names)})

    def _by_partition(self, latent: Any, labels: Any) -> Any:
        import pandas as pd

        self._check_shapes((np.nan, len(latent.columns)), (np.nan,) * labels.ndim)
        names = list(range(self._columns)) if self.names is None else list(self.names)

        def partition(latent: Any, labels: Any) -> Any:
            points = self._points(latent.to_numpy(), labels.to_numpy())
            return pd.DataFrame(points, latent.index, names)

        meta = pd.DataFrame(np.empty((0, len(names))), columns=names)
        return latent.map_partitions(partition, labels, meta=meta)

    def _lazily(self, latent: Any, labels: Any) -> Any:
        import dask.array as da

        latent, labels = da.asarray(latent), da.asarray(labels)
        if latent.chunks[0] != labels.chunks[0] and latent.shape[0] == latent.shape[0]:
            latent = latent.rechunk({0: labels.chunks[0]})
        if latent.numblocks[1] > 1:
            latent = latent.rechunk({1: -1})
        return da.map_blocks(
            self._of_blocks, latent, labels[:, None], dtype=np.float64,
            chunks=(latent.chunks[0], (self._columns,)), meta=np.empty((0, 0)),
        )  # fmt: skip

    def _of_blocks(self, latent: Array, labels: NDArray[np.int64]) -> Array:
        """Return points (*grid, d) of blocks of any rank."""
        points = self._points(latent.reshape(-1, latent.shape[-1]), labels.ravel())
        return points.reshape((*latent.shape[:-1], self._columns))

    def _points(self, latent: Array, labels: NDArray[np.int64]) -> Array:
        if labels.dtype.kind not in "iu" or (labels >= self.parameters.n_components).any():
            raise DataError(
                f"labels are not numbers of the {self.parameters.n_components} components, as "
                "predict returns them."
            )
        points = reconstructed(self.parameters, latent.astype(np.float64), labels.astype(np.intp))
        return points if self.coordinates is None else self.coordinates.undo(points)
