"""Points that latent coordinates stand for, of NumPy and of Dask."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.latent import n_factors, reconstructed
from daskgmm.gaussian.parameters import Parameters

Array = NDArray[np.float64]


def points_of(
    parameters: Parameters, coordinates: Coordinates | None, latent: Any, labels: Any
) -> Any:
    """Return points of the data (n, d) for latent coordinates (n, q) and components (n,).

    Raises
    ------
    ValueError
        If these are of another shape, or a component does not exist.
    """
    if not hasattr(latent, "shape") or not hasattr(labels, "shape"):
        latent, labels = np.asarray(latent), np.asarray(labels)
    q, d = n_factors(parameters), parameters.n_features
    if latent.ndim != 2 or latent.shape[1] != q or labels.shape != latent.shape[:1]:
        raise ValueError(
            f"Latent coordinates have the shape {latent.shape} and labels {labels.shape}; they "
            f"need the shapes (n, {q}) and (n,)."
        )
    undo = partial(_points, parameters, coordinates)
    if not (hasattr(latent, "dask") or hasattr(labels, "dask")):
        return undo(np.asarray(latent), np.asarray(labels))
    import dask.array as da

    chunks = labels.chunks[0] if hasattr(labels, "dask") else latent.chunks[0]
    latent = da.asarray(latent).rechunk((chunks, -1))
    labels = da.asarray(labels).rechunk((chunks,))
    columns = d if coordinates is None else coordinates.n_columns
    return da.map_blocks(
        _block, latent, labels[:, None], undo=undo, dtype=np.float64, chunks=(chunks, (columns,)),
        meta=np.empty((0, 0)),
    )  # fmt: skip


def _block(latent: Array, labels: NDArray[np.int64], undo: Any) -> Array:
    points: Array = undo(latent, labels[:, 0])
    return points


def _points(
    parameters: Parameters,
    coordinates: Coordinates | None,
    latent: Array,
    labels: NDArray[np.int64],
) -> Array:
    if labels.dtype.kind not in "iu" or (labels >= parameters.n_components).any():
        raise ValueError(
            f"labels are no numbers of the {parameters.n_components} components, as predict "
            "returns them."
        )
    points = reconstructed(parameters, latent.astype(np.float64), labels.astype(np.intp))
    return points if coordinates is None else coordinates.undo(points)
