"""The cost of a fit, before it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from dask.utils import parse_bytes

from daskgmm.em.sample import sample_capacity
from daskgmm.gaussian.structures import STRUCTURES, n_parameters
from daskgmm.models.inputs import is_source, labelled_training
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.plan import Plan, make_plan
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.frames import is_polars_frame
from daskgmm.rows.labelled import is_labelled
from daskgmm.rows.opening import as_rows
from daskgmm.rows.rows import Rows
from daskgmm.rows.weights import split_weights
from daskgmm.storage_options import StorageOptions


def plan(
    X: Any,
    n_components: int = 1,
    *,
    covariance_type: str = "full",
    sample_weight: Any = None,
    cache: int | str | None = None,
    max_iter: int = 100,
    n_init: int = 1,
    feature_dims: Sequence[Hashable] | None = None,
    storage_options: StorageOptions | None = None,
) -> Plan:
    """Say what a fit will cost: bytes, batches, passes, memory; nothing is read.

    Where it would run is looked up as `GaussianMixture.fit` does it: on the current
    `distributed.Client` if there is one and the rows can go there, else on threads.

    Parameters
    ----------
    X, sample_weight, cache, feature_dims, storage_options : as in `GaussianMixture.fit`
    n_components, covariance_type, max_iter, n_init : as in `GaussianMixture`

    Returns
    -------
    Plan
        Print it, or look at its attributes.

    Raises
    ------
    ValueError, OSError
        As `GaussianMixture.fit` before it reads.
    """
    rows, weights = _rows(X, sample_weight, feature_dims, storage_options)
    p = STRUCTURES[covariance_type].n_statistics(rows.n_features)
    data = Dataset.of(rows, weights, int(n_components), p, cache_nbytes(cache))
    return plan_of(data, int(n_components), covariance_type, 2 + max_iter * n_init)


def _rows(
    x: Any,
    sample_weight: Any,
    feature_dims: Sequence[Hashable] | None,
    options: StorageOptions | None,
) -> tuple[Rows, Rows | None]:
    if is_labelled(x):
        return labelled_training(x, sample_weight, feature_dims, options)[1:]
    if is_source(x) or is_polars_frame(x):
        rows = as_rows(x, options)
    else:
        names = getattr(x, "columns", None)
        rows = ArrayRows(x, columns=None if names is None else tuple(map(str, names)))
    return (rows, None) if sample_weight is None else split_weights(rows, sample_weight, options)


def plan_of(data: Dataset, k: int, covariance_type: str, max_passes: int) -> Plan:
    """Return the plan of a fit to a data set that is cut already."""
    structure, d = STRUCTURES[covariance_type], data.rows.n_features
    sample_rows = sample_capacity(n_parameters(structure, k, d), d)
    return make_plan(data, k, structure.n_statistics(d), max_passes, sample_rows)


def cache_nbytes(cache: int | str | None) -> int:
    """Return a size such as ``"2GiB"`` in bytes.

    Raises
    ------
    ValueError
        If it is no size.
    """
    try:
        nbytes = 0 if cache is None else int(parse_bytes(cache))
    except ValueError:
        nbytes = -1
    if nbytes < 0:
        raise ValueError(f"cache is {cache!r}; give bytes or a size, for example '2GiB'.")
    return nbytes
