"""What a fitted mixture says of rows, in memory, lazily and on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.utils.validation import check_is_fitted

from daskgmm.models.inputs.rows import labelled_rows
from daskgmm.models.inputs.source_name import source_name
from daskgmm.models.mixtures.fitted import FittedMixture
from daskgmm.models.mixtures.named_model import named_model
from daskgmm.models.mixtures.noisy_rows import predict_with_noise, rows_to_write, table_to_write
from daskgmm.models.predictions.forms.in_any_form import InAnyForm
from daskgmm.models.predictions.forms.labels import named_as
from daskgmm.models.predictions.made_outputs import wanted_outputs
from daskgmm.models.predictions.room import check_room
from daskgmm.models.settings.missing import check_imputes, check_seed
from daskgmm.models.writers.cutting import cut_rows
from daskgmm.models.writers.job import Written
from daskgmm.models.writers.naming import check_parquet_name, check_zarr_name
from daskgmm.models.writers.parquet_target import ParquetTarget
from daskgmm.models.writers.predict_to_parquet import ParquetJob, check_columns, write_to_parquet
from daskgmm.models.writers.predict_to_zarr import ZarrJob, write_to_zarr
from daskgmm.models.writers.zarr_target import ZarrTarget
from daskgmm.names import IMPUTED
from daskgmm.passes.task import Progress
from daskgmm.rows.sources import source_of
from daskgmm.rows.tables.keyed import as_names
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions


class PredictingMixture(FittedMixture):
    """A fitted mixture that predicts."""

    _is_base = True

    def predict(self, X: Any, *, noise_variance: Any = None) -> Any:
        """Return the most probable component of each row.

        Parameters
        ----------
        X : as in `fit`
        noise_variance : as in `fit`, optional
            Known noise of the rows, in all forms of X; beside a data frame of Dask noise of each
            row is columns of it.

        Returns
        -------
        array of int64, shape (n,)
            NumPy for what is in memory; else a lazy Dask array with the row chunks of X (of
            Parquet files the row groups); a lazy Dask series for a data frame of Dask.
            With ``missing="drop"`` -1 where a value is missing; of a mixture with ``noise=True``
            -1 is an outlier, which belongs to the noise most probably, and -2 is missing.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> mixture.predict([[0.5], [8.0]])
        array([0, 1])
        """
        return self._predict("label", X, noise_variance)

    def predict_proba(self, X: Any, *, noise_variance: Any = None) -> Any:
        """Return the posterior probability of each component for each row, shape (n, k).

        Of a mixture with ``noise=True`` rows sum to 1 less `outlier_proba`.

        Parameters
        ----------
        X : as in `fit`
        noise_variance : as in `predict`, optional

        Returns
        -------
        array of shape (n, k)
            Of float32 for float32 rows, else float64; lazy where `predict` is.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [2.0]], [1.0, 1.0])
        >>> mixture.predict_proba([[1.0]])
        array([[0.4, 0.6]])
        """
        return self._predict("posterior", X, noise_variance)

    def outlier_proba(self, X: Any) -> Any:
        """Return the probability that each row is an outlier, shape (n,); lazy where `predict` is.

        With ``noise=True`` that of the uniform component; with ``tails="contaminated"`` that of the
        parts of components with the larger covariances [1]_. With ``tails="t"`` it is the
        probability that the row was drawn with more than ten times its component's scatter matrix:
        a row of such a component is normal, with the matrix divided by a number from a gamma
        distribution, whose distribution given the row is known [2]_.

        Parameters
        ----------
        X : as in `fit`

        Returns
        -------
        array of shape (n,)
            Between 0 and 1.

        Raises
        ------
        SettingError
            If the mixture makes no room for outliers, so that no row could be one: for such a
            mixture `density_rank` says how unusual rows are.

        References
        ----------
        .. [1] A. Punzo, P. D. McNicholas, "Parsimonious mixtures of multivariate contaminated
           normal distributions", Biometrical Journal 58 (2016) 1506-1537,
           https://doi.org/10.1002/bimj.201500144
        .. [2] D. Peel, G. J. McLachlan, "Robust mixture modelling using the t distribution",
           Statistics and Computing 10 (2000) 339-348, https://doi.org/10.1023/A:1008981510081

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.append(np.random.default_rng(0).normal(size=500), [20.0, 30.0])[:, None]
        >>> mixture = GaussianMixture(tails="contaminated").fit(X)
        >>> mixture.outlier_proba([[0.0], [25.0]]).round(1)
        array([0., 1.])
        """
        check_is_fitted(self)
        check_room(self._parameters(), ["outlier_probability"])
        return self._predict("outlier_probability", X)

    def score_samples(self, X: Any, *, noise_variance: Any = None) -> Any:
        """Return log p(x) of each row in nats, shape (n,); lazy where `predict` is.

        With `standardise` or `pca` it is the density of the mapped row, as in a scikit-learn
        pipeline, and so are `score` and the criteria: compare those only between models with
        the same preprocessing.

        Parameters
        ----------
        X : as in `fit`
        noise_variance : as in `predict`, optional

        Returns
        -------
        array of shape (n,)
            In nats.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0])
        >>> mixture.score_samples([[0.0], [2.0]]).round(3)
        array([-0.919, -2.919])
        """
        return self._predict("log_density", X, noise_variance)

    def impute(self, X: Any, *, random_state: int | None = None) -> Any:
        """Return rows whose missing values are those that the mixture expects, or draws of them.

        Of a mixture with ``missing="marginalise"``: the mean of each missing value given the others
        of its row, over all components. Observed values stay as they are, to the bit, and rows
        without any value stay NaN. Variances of filled values are too small, as those of means
        are; draws have the variances and correlations of the mixture, and several of them show how
        uncertain what follows is (multiple imputation [1]_). The output "imputed" of
        `predict_to_zarr` and `predict_to_parquet` is the same, row by row and in one read.

        Parameters
        ----------
        X : as in `fit`
        random_state : int, optional
            The seed of a draw from the distribution of the missing values given the others of the
            row: a component with its posterior probability, then a value of its conditional
            Gaussian. A draw depends on the seed and the number of the row, not on chunks; with a
            data frame of Dask, on the partition and the number in it.

        Returns
        -------
        array of shape (n, d)
            As `predict_proba` returns it: lazy where that is, labelled for labelled X, a DataArray
            with its own dimension of features.

        Raises
        ------
        SettingError
            If `missing` is another, or the seed is no whole number from 0 to 2^64 - 1.

        References
        ----------
        .. [1] R. J. A. Little, D. B. Rubin, "Statistical Analysis with Missing Data", Wiley (2002).

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0, 0]], [[[1.0, 0.5], [0.5, 1.0]]])
        >>> mixture.set_params(missing="marginalise").impute([[2.0, np.nan]])
        array([[2., 1.]])
        """
        check_imputes(self)
        seed = check_seed(random_state)
        found, source = self._predict(IMPUTED, X, seed=seed), source_of(X)
        return named_as(X, labelled_rows(self, X), found) if source.labelled else found

    def predict_to_zarr(
        self,
        X: Any,
        out: str | os.PathLike[str],
        outputs: Sequence[str] = ("label",),
        *,
        dtype: str | None = None,
        top: int | None = None,
        random_state: int | None = None,
        chunks: int | Mapping[str, int] | None = None,
        shards: int | Mapping[str, int] | None = None,
        overwrite: bool = False,
        noise_variance: Any = None,
        storage_options: StorageOptions | None = None,
        progress: Progress | None = None,
    ) -> Written:
        """Write predictions to a Zarr group, chunk by chunk, all of them from one read of X.

        A run that was killed resumes when the same call is made again: it writes only what is
        missing. The group is written beside `out` and moved there when whole; at a URL it is
        written in place, and whole once the file named as it with ``.progress.json`` added is
        gone. xarray opens it, with the coordinates of labelled X.

        Parameters
        ----------
        X : as in `fit`
            With a known number of rows, n. An array in memory, a stored or lazy one, or a
            labelled one of any rank.
        out : path or URL
            Without the suffix of another format, such as .csv or .parquet.
        outputs : sequence of str
            Of "label" (the most probable component; -1 where a value is missing; with
            ``noise=True`` -1 for outliers, and -2 where a value is missing), "posterior" (of every
            component), "outlier" (1 for outliers, 0 for others, -1 where a value is missing),
            "outlier_probability", "top" (`top_component` and `top_posterior`: the most probable
            ones, the first one first), "largest_posterior", "ambiguity" (1 less the difference of
            the two largest posteriors), "log_density" (nats). The noise is one of the components
            for "top" (-1), "largest_posterior" and "ambiguity". Of types with factors also
            "latent" (as `transform`) and "reconstruction_error" (the squared distance of the row
            from `inverse_transform` of it, in the coordinates of the mixture).
        dtype : {"float32", "float64", "uint8"}, optional
            Of probabilities, by default float32. uint8 is in steps of 1/255 (1/254 with
            ``missing="drop"``, where 255 means missing), with a `scale_factor`, which xarray
            applies. "imputed" is in float64, unless float32 is asked for.
        top : int, optional
            How many components "top" writes; by default 2, or 1 of a single component.
        random_state : int, optional
            The seed of draws, which "imputed" holds then instead of means, as `impute` returns
            them.
        chunks, shards : int or mapping from dimension to int, optional
            Rows of a chunk, and of a shard, or lengths along dimensions. By default chunks
            are as those of X. What does not align with these is written rightly all the same.
        overwrite : bool
            Whether local predictions at `out` may be replaced, once the new ones are whole; what
            X is read from never is. And whether what an interrupted run with another model, rows
            or settings wrote may be removed; from what the same call wrote it resumes.
        noise_variance : as in `predict`, optional
        storage_options : mapping, optional
            Of the URLs of `out` and X, as fsspec takes them.
        progress : callable, optional
            Called with the number of batches done and their total.

        Returns
        -------
        Written
            With `rows`, `counts` of each component, and `missing`.

        Raises
        ------
        FileExistsError, FileNotFoundError
            If `out` exists and may not be replaced, or its folder does not exist.
        ValueError
            If rows cannot be used (`daskgmm.errors.DataError`), or a setting.

        Examples
        --------
        >>> import numpy as np
        >>> import zarr
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0])
        >>> written = mixture.predict_to_zarr(np.array([[0.5], [8.0]]), "predictions.zarr")
        >>> zarr.open_group("predictions.zarr")["label"][:]
        array([0, 1], dtype=int8)
        """
        check_is_fitted(self)
        check_zarr_name(out)
        source = source_of(X, storage_options)
        own = self._predictor(check_seed(random_state, outputs))
        predictor, rows = rows_to_write(self, own, source, noise_variance)
        wanted = wanted_outputs(predictor, outputs, dtype, top)
        cut = cut_rows(rows, chunks, shards, wanted)
        target = ZarrTarget(Address.of(out, storage_options), overwrite)
        job = ZarrJob(predictor, wanted, target, named_model(self), cut, source_name(X))
        return write_to_zarr(job, [X, noise_variance], progress)

    def predict_to_parquet(
        self,
        X: Any,
        out: str | os.PathLike[str],
        outputs: Sequence[str] = ("label",),
        *,
        key: str | Sequence[str] | None = None,
        dtype: str | None = None,
        top: int | None = None,
        random_state: int | None = None,
        overwrite: bool = False,
        noise_variance: Any = None,
        storage_options: StorageOptions | None = None,
        progress: Progress | None = None,
    ) -> Written:
        """Write predictions to Parquet files beside key columns of X, all from one read of X.

        A folder with a file for each row group or partition, in order, empty ones too. A run
        that was killed resumes when the same call is made again: it writes only what is
        missing. Files are written in a folder beside `out`, which is moved there when whole;
        at a URL they are written in place, and all are there once the file named as the
        folder with ``.progress.json`` added is gone.

        Parameters
        ----------
        X : Parquet paths, what `open_parquet` returns, a data frame, or a table of Arrow
            Data frames are those of Dask, pandas or Polars.
            Features are the columns that the mixture was fitted on, by name; for a mixture
            without names all columns but the keys. Lengths of partitions may be unknown.
        out : path or URL
            Without the suffix of another format, such as .csv or .zarr.
        outputs : sequence of str
            As of `predict_to_zarr`, as columns of numbers: ``label`` (-1 where a value is missing;
            with ``noise=True`` -1 for outliers, -2 where a value is missing), ``outlier``,
            ``outlier_probability``,
            ``posterior_0`` and so on, ``top_component_1`` and ``top_posterior_1`` (the most
            probable one), ``largest_posterior``, ``ambiguity``, ``log_density``, ``latent_0``
            and so on, ``reconstruction_error``; the last ones are NaN where a value is missing.
        key : str or sequence of str, optional
            Columns of any type, or the name of a data frame's index, to carry along as they
            are. By default the index of a data frame, also one that was stored with Parquet
            files; with ``key=()`` nothing.
        dtype : {"float32", "float64"}, optional
            Of probabilities and densities, by default float32; "imputed" is in float64, unless
            float32 is asked for.
        top : int, optional
            How many components "top" writes; by default 2, or 1 of a single component.
        random_state : int, optional
            The seed of draws, which "imputed" holds then instead of means, as `impute` returns
            them.
        overwrite : bool
            Whether Parquet files at a local `out` may be replaced, once all new ones are
            written. They may be those that are read, if all of these are and each of their
            columns is a feature, its noise or in `key`; the former are not written. And whether
            what an interrupted run with another model, rows or settings wrote may be removed.
        noise_variance : as in `predict`, optional
        storage_options : mapping, optional
            Of the URLs of `out` and X, as fsspec takes them.
        progress : callable, optional
            Called with the number of batches done and their total.

        Returns
        -------
        Written
            With `rows`, `counts` of each component, and `missing`.

        Raises
        ------
        FileExistsError, FileNotFoundError
            If `out` exists and may not be replaced, or its folder does not exist.
        ValueError
            If rows cannot be used (`daskgmm.errors.DataError`), or a setting.
        TypeError
            If X is no table.

        Examples
        --------
        >>> import pandas as pd
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters(
        ...     [0.4, 0.6], [[0.0], [9.0]], [1.0, 1.0], feature_names=["depth"]
        ... )
        >>> profiles = pd.DataFrame({"station": ["a", "b"], "depth": [0.5, 8.0]})
        >>> written = mixture.predict_to_parquet(profiles, "labels.parquet", key="station")
        >>> pd.read_parquet("labels.parquet")
          station  label
        0       a      0
        1       b      1
        """
        check_is_fitted(self)
        check_parquet_name(out)
        source = source_of(X, storage_options)
        given = source, as_names(key), noise_variance
        own = self._predictor(check_seed(random_state, outputs))
        predictor, table = table_to_write(self, own, *given)
        wanted = wanted_outputs(predictor, outputs, dtype, top)
        check_columns(table, wanted, dtype)
        target = ParquetTarget(Address.of(out, storage_options), overwrite)
        job = ParquetJob(predictor, wanted, target, named_model(self), table)
        return write_to_parquet(job, X, noise_variance, progress)

    def _predict(
        self, name: str, x: Any, noise_variance: Any = None, *, seed: int | None = None
    ) -> Any:
        if noise_variance is not None:
            check_is_fitted(self)
            given = (name,), x, noise_variance
            return predict_with_noise(self, self._predictor(), *given)[0]
        return self._predict_together((name,), x, seed)[0]

    def _predict_together(
        self, names: tuple[str, ...], x: Any, seed: int | None = None
    ) -> tuple[Any, ...]:
        check_is_fitted(self)
        return source_of(x).predicted(InAnyForm(self, self._predictor(seed), names))
