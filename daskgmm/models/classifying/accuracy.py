"""The accuracy of predicted classes, in memory or lazily."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
from dask.base import compute, is_dask_collection
from numpy.typing import NDArray

from daskgmm.models.classifying.target import Target, decoded
from daskgmm.rows.coded import UNKNOWN_CLASS


def accuracy(found: Any, target: Target, weights: Any, classes: NDArray[Any]) -> float:
    """Return the part of the rows of known class whose class was found.

    Parameters
    ----------
    found : array of shape (n,)
        Of NumPy, Dask or xarray, or a series of Dask.
    target : Target
    weights : array of shape (n,), or None
    classes : ndarray of shape (c,)
    """
    labels = target.labels if target.names is None else decoded(target.labels, target.names)
    parts = [found, labels] if weights is None else [found, labels, weights]
    if hasattr(found, "dims"):
        parts = [_in_order(part, found.dims) for part in parts]
    lazy = any(map(is_dask_collection, parts))
    found, labels, *rest = (_flat(part) if lazy else np.asarray(part).ravel() for part in parts)
    # A comparison with itself is false for NaN alone.
    known = labels == labels
    if target.names is not None:
        known = known & (np.asarray(target.labels) >= 0)
    elif not (classes == UNKNOWN_CLASS).any():
        known = known & (labels != UNKNOWN_CLASS)
    w = known * (rest[0] if rest else 1.0)
    right, total = compute(((found == labels) * w).sum(), w.sum())
    return float(right / total)


def _in_order(part: Any, dims: tuple[Any, ...]) -> Any:
    return part.transpose(*dims).data if hasattr(part, "dims") else part


def _flat(part: Any) -> Any:
    """Return an array of one axis, lazy ones so."""
    if hasattr(part, "to_dask_array"):
        part = part.to_dask_array(lengths=True)
    return part.ravel() if isinstance(part, da.Array) else np.asarray(part).ravel()
