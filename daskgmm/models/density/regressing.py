"""Regression of some columns on the others by a mixture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from daskgmm.models.density.columns import is_one, others, places
from daskgmm.models.density.over_columns import OverColumns
from daskgmm.models.density.regression import (
    Regression,
    RegressionPredictor,
    RegressionsOfRows,
    regress,
    regression_outputs,
    single,
    without_targets,
)
from daskgmm.models.inputs.rows import rows_or_grid
from daskgmm.models.inputs.source_name import source_name
from daskgmm.models.mixtures.named_model import named_model
from daskgmm.models.mixtures.noisy_rows import table_to_write
from daskgmm.models.settings.missing import transform_of
from daskgmm.models.writers.cutting import cut_rows
from daskgmm.models.writers.job import Written
from daskgmm.models.writers.naming import check_parquet_name, check_zarr_name
from daskgmm.models.writers.parquet_target import ParquetTarget
from daskgmm.models.writers.predict_to_parquet import ParquetJob, check_columns, write_to_parquet
from daskgmm.models.writers.predict_to_zarr import ZarrJob, write_to_zarr
from daskgmm.models.writers.zarr_target import ZarrTarget
from daskgmm.passes.task import Progress
from daskgmm.rows.sources import source_of
from daskgmm.rows.tables.keyed import as_names
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions


class Regressing(OverColumns):
    """A mixture that predicts columns from the other ones."""

    _is_base = True

    def regress(self, X: Any, targets: int | str | Sequence[int | str]) -> Regression:
        r"""Return mean and variance of target columns, given the other ones: mixture regression.

        With the responsibilities :math:`\gamma_k(x)` of the given columns and the linear regression
        :math:`m_k(x)`, :math:`S_k` of each component, the mean is
        :math:`m(x) = \sum_k \gamma_k m_k(x)` and the variance
        :math:`\sum_k \gamma_k (S_k + (m_k(x) - m(x))^2)` [1]_. The mixture is one of all
        columns: its fit made the joint density likely, not the prediction of targets.

        Parameters
        ----------
        X : as in `fit`
            Of the columns without the targets, in the order of the fit. Where columns have names,
            these are found in whatever X holds besides. With `missing="marginalise"` rows that miss
            values are told by those that they have.
        targets : int, str or sequence of these
            Columns by number or name.

        Returns
        -------
        Regression
            With `mean`, `variance` and `log_density`, the trust in both: log p(x) of the given
            columns, in nats. In the form of predictions: NumPy for what is in memory, else lazy,
            labelled for labelled X. The first two have shape (n, t), or (n,) of a single target.
            Computed together they take one read. Student-t components may have infinite variances.

        Raises
        ------
        SettingError, ValueError
            As of `condition`.

        References
        ----------
        .. [1] H. G. Sung, "Gaussian mixture regression and classification", thesis, Rice University
           (2004).

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> covariances = [[[1.0, 0.5], [0.5, 1.0]]]
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], covariances)
        >>> found = mixture.regress([[2.0], [-1.0]], targets=1)
        >>> found.mean, found.variance
        (array([ 1. , -0.5]), array([0.75, 0.75]))
        """
        known, regressions, called = self._regressing(targets)
        transform = transform_of(self, None)  # regressions are in the units of the data
        with without_targets(regressions.asked, self._n_columns()):
            found = regress(known, regressions, transform, called, X)
        return single(found) if is_one(targets) else found

    def regress_to_zarr(
        self,
        X: Any,
        out: str | os.PathLike[str],
        targets: int | str | Sequence[int | str],
        *,
        dtype: str = "float32",
        chunks: int | Mapping[str, int] | None = None,
        shards: int | Mapping[str, int] | None = None,
        overwrite: bool = False,
        storage_options: StorageOptions | None = None,
        progress: Progress | None = None,
    ) -> Written:
        """Write what `regress` returns to a Zarr group, all of it from one read of X.

        Parameters
        ----------
        X, targets : as in `regress`
        out, chunks, shards, overwrite, storage_options, progress : as in `predict_to_zarr`
            The arrays are ``mean_a`` and ``variance_a`` of a target ``a``, by name or number, and
            ``log_density``. A run that was killed resumes when the same call is made again.
        dtype : {"float32", "float64"}
            Of the arrays.

        Returns
        -------
        Written
            With the number of rows.

        Raises
        ------
        ValueError, OSError
            As of `regress` and `predict_to_zarr`.

        Examples
        --------
        >>> import numpy as np
        >>> import zarr
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0, 0]], [[[1.0, 0.5], [0.5, 1.0]]])
        >>> X = np.array([[2.0], [-1.0]])
        >>> written = mixture.regress_to_zarr(X, "regression.zarr", targets=1)
        >>> zarr.open_group("regression.zarr")["mean_1"][:]
        array([ 1. , -0.5], dtype=float32)
        """
        check_zarr_name(out)
        known, regressions, called = self._regressing(targets)
        outputs = regression_outputs(regressions, called, dtype)
        with without_targets(regressions.asked, self._n_columns()):
            rows = rows_or_grid(known, source_of(X, storage_options))
        predictor = RegressionPredictor(known, regressions, transform_of(self, None))
        cut = cut_rows(rows, chunks, shards, outputs)
        target = ZarrTarget(Address.of(out, storage_options), overwrite)
        job = ZarrJob(predictor, outputs, target, named_model(self), cut, source_name(X))
        return write_to_zarr(job, [X], progress)

    def regress_to_parquet(
        self,
        X: Any,
        out: str | os.PathLike[str],
        targets: int | str | Sequence[int | str],
        *,
        key: str | Sequence[str] | None = None,
        dtype: str = "float32",
        overwrite: bool = False,
        storage_options: StorageOptions | None = None,
        progress: Progress | None = None,
    ) -> Written:
        """Write what `regress` returns to Parquet files beside key columns of X, from one read.

        Parameters
        ----------
        X, targets : as in `regress`
        out, key, overwrite, storage_options, progress : as in `predict_to_parquet`
            Columns are called as the arrays of `regress_to_zarr`.
        dtype : {"float32", "float64"}
            Of the arrays.

        Returns
        -------
        Written
            With the number of rows.

        Raises
        ------
        ValueError, OSError, TypeError
            As of `regress` and `predict_to_parquet`.

        Examples
        --------
        >>> import pandas as pd
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters(
        ...     [1.0], [[0.0, 0.0]], [[[1.0, 0.5], [0.5, 1.0]]], feature_names=["a", "b"]
        ... )
        >>> stations = pd.DataFrame({"station": [7, 9], "a": [2.0, -1.0]})
        >>> written = mixture.regress_to_parquet(stations, "regression.parquet", "b", key="station")
        >>> pd.read_parquet("regression.parquet")[["station", "mean_b"]]
           station  mean_b
        0        7     1.0
        1        9    -0.5
        """
        check_parquet_name(out)
        known, regressions, called = self._regressing(targets)
        outputs = regression_outputs(regressions, called, dtype)
        made = RegressionPredictor(known, regressions, transform_of(self, None))
        source = source_of(X, storage_options)
        with without_targets(regressions.asked, self._n_columns()):
            predictor, table = table_to_write(known, made, source, as_names(key), None)
        check_columns(table, outputs, dtype)
        target = ParquetTarget(Address.of(out, storage_options), overwrite)
        job = ParquetJob(predictor, outputs, target, named_model(self), table)
        return write_to_parquet(job, X, progress=progress)

    def _regressing(self, targets: Any) -> tuple[OverColumns, RegressionsOfRows, list[Any]]:
        """Return the mixture of the given columns, its regressions, and what targets are called."""
        names, d = self._names(), self._n_columns()
        asked = places(targets, names, d)
        given = others(asked, d)
        regressions = RegressionsOfRows.of(self._plain(), given, asked)
        known = self._mixture_over(regressions.whole.known, given)
        return known, regressions, [place if names is None else names[place] for place in asked]
