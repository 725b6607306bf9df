"""Methods of a mixture as a density."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from daskgmm.em.survey.values import LARGEST_VALUE
from daskgmm.errors import SettingError
from daskgmm.gaussian.density.conditionals import conditional
from daskgmm.gaussian.density.modes import Modes, modes
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.density.columns import is_one, others, places
from daskgmm.models.density.density_rank import RANK, Level, RanksOfRows, rank_output
from daskgmm.models.density.divergence import Divergence, divergence
from daskgmm.models.density.given_parameters import made_of
from daskgmm.models.density.plain import check_density, plain, settings_kept
from daskgmm.models.density.regression import (
    Regression,
    RegressionPredictor,
    RegressionsOfRows,
    regress,
    regression_outputs,
    single,
    without_targets,
)
from daskgmm.models.density.sample_blocks import Sampler, sample_lazily
from daskgmm.models.density.zarr_array import check_free, write_array
from daskgmm.models.files.portable import Portable
from daskgmm.models.inputs.rows import feature_names, rows_or_grid
from daskgmm.models.inputs.source_name import source_name
from daskgmm.models.mixtures.named_model import named_model
from daskgmm.models.mixtures.noisy_rows import table_to_write
from daskgmm.models.predictions.forms import InAnyForm
from daskgmm.models.settings.missing import transform_of
from daskgmm.models.settings.outliers import box_of
from daskgmm.models.writers.cutting import cut_rows
from daskgmm.models.writers.job import Written
from daskgmm.models.writers.naming import check_parquet_name, check_zarr_name
from daskgmm.models.writers.parquet_target import ParquetTarget
from daskgmm.models.writers.predict_to_parquet import ParquetJob, check_columns, write_to_parquet
from daskgmm.models.writers.predict_to_zarr import ZarrJob, write_to_zarr
from daskgmm.models.writers.zarr_target import ZarrTarget
from daskgmm.names import FLOATS
from daskgmm.passes.task import Progress
from daskgmm.rows.sources import source_of
from daskgmm.rows.tables.keyed import as_names
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions

if TYPE_CHECKING:
    from daskgmm.models.gaussian_mixture import GaussianMixture

DRAWN = 100_000
"""Rows that are drawn where there is no closed form: probabilities are then exact to 0.003."""


class Density(Portable):
    """A mixture that can be conditioned, integrated over columns, sampled and compared.

    New mixtures are in the units of the data, also of one with `standardise` or `pca`.
    """

    _is_base = True

    def marginal(self, columns: int | str | Sequence[int | str]) -> GaussianMixture:
        """Return the distribution of some columns alone [1]_.

        Parameters
        ----------
        columns : int, str or sequence of these
            Numbers or names, in the order that the new mixture is to have them.

        Returns
        -------
        GaussianMixture
            With "diag" covariances if this one's are along the axes, "tied" ones if components
            share them, else "full" ones; Student-t and contaminated components stay such.

        Raises
        ------
        SettingError
            If a column does not exist.
        ValueError
            Of a mixture with `noise`, with axes left out by `pca`, or of a
            `BayesianGaussianMixture`, which have no density over columns.

        References
        ----------
        .. [1] C. Bishop, "Pattern Recognition and Machine Learning", Springer (2006),
           section 2.3.2.

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.4, 0.6], [[0, 0], [4, 1]], [1.0, 2.0])
        >>> mixture.marginal([1]).means_
        array([[0.],
               [1.]])
        """
        chosen = places(columns, self._names(), self._n_columns())
        return self._mixture_over(self._plain(chosen), chosen)

    def condition(self, values: Mapping[int | str, float]) -> GaussianMixture:
        """Return the distribution of the other columns, given the values of some.

        Of Gaussian components these are Gaussian, with the responsibilities of the values as
        weights; a Student-t component has a degree of freedom more for each given column [1]_.

        Parameters
        ----------
        values : mapping from column to number
            Columns by number or name. For many rows see `regress`.

        Returns
        -------
        GaussianMixture
            Over the columns that are left, in their order; structures are as of `marginal`.

        Raises
        ------
        SettingError
            If a column does not exist, none is left, or a value is not finite.
        ValueError
            As of `marginal`.

        References
        ----------
        .. [1] P. Ding, "On the conditional distribution of the multivariate t distribution", The
           American Statistician 70 (2016) 293-295, https://doi.org/10.1080/00031305.2016.1164756

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> covariances = [[[1.0, 0.5], [0.5, 1.0]]]
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], covariances)
        >>> given = mixture.condition({0: 2.0})
        >>> given.means_, given.covariances_
        (array([[1.]]), array([[[0.75]]]))
        """
        if not isinstance(values, Mapping):
            raise SettingError(f"values is {values!r}; give a mapping from column to value.")
        d = self._n_columns()
        given = places(values, self._names(), d)
        rest, point = others(given, d), _point(values)
        return self._mixture_over(conditional(self._plain(), given, point, rest), rest)

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
            ``log_density``. A run that was killed goes on when the same call is made again.
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

    def _regressing(self, targets: Any) -> tuple[GaussianMixture, RegressionsOfRows, list[Any]]:
        """Return the mixture of the given columns, its regressions, and what targets are called."""
        names, d = self._names(), self._n_columns()
        asked = places(targets, names, d)
        given = others(asked, d)
        regressions = RegressionsOfRows.of(self._plain(), given, asked)
        known = self._mixture_over(regressions.whole.known, given)
        return known, regressions, [place if names is None else names[place] for place in asked]

    def density_rank(self, X: Any, *, n_drawn: int = DRAWN, seed: int = 0) -> Any:
        r"""Return the probability of a density as low as that of each row, shape (n,).

        An anomaly score that is a probability: of rows of the mixture it is uniform from 0 to 1, so
        that 1 % of these are below 0.01. 1 less the rank is the probability of the region of
        highest density that the row is on the border of [1]_.

        Parameters
        ----------
        X : as in `fit`
        n_drawn : int, default=100_000
            m, rows that are drawn from the mixture to compare with. Of a single Gaussian the rank
            is exact: that of the chi-square distribution of the squared distance.
        seed : int, default=0
            Of these rows.

        Returns
        -------
        array of shape (n,)
            As `score_samples` returns it. A rank r has the standard error
            :math:`\sqrt{r (1 - r) / m}`, and is 1 / (m + 1) at least. With `missing="marginalise"`
            a row that misses values ranks among the values of the columns that it has.

        Raises
        ------
        SettingError
            If a setting cannot be used.
        ValueError
            Of a `BayesianGaussianMixture`, which has no normalised density.

        References
        ----------
        .. [1] R. J. Hyndman, "Computing and graphing highest density regions", The American
           Statistician 50 (1996) 120-126, https://doi.org/10.1080/00031305.1996.10474359

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0])
        >>> mixture.density_rank([[0.0], [1.96], [5.0]]).round(3)
        array([1.  , 0.05, 0.  ])
        """
        predictor = self._predictor()
        predictor.own_outputs = {RANK: partial(rank_output, self._ranks(n_drawn, seed))}
        (found,) = source_of(X).predicted(InAnyForm(self, predictor, (RANK,)))
        return found

    def density_level(self, mass: float, *, n_drawn: int = DRAWN, seed: int = 0) -> Level:
        """Return the border of the smallest region that holds a probability.

        Rows whose `score_samples` is above it are in the region of highest density [1]_.

        Parameters
        ----------
        mass : float
            The probability, between 0 and 1.
        n_drawn, seed : int
            As of `density_rank`.

        Returns
        -------
        Level
            With `log_density`, and an interval for it of 95 %: `lowest`, `highest`.

        Raises
        ------
        SettingError, ValueError
            As of `density_rank`.

        References
        ----------
        .. [1] R. J. Hyndman, "Computing and graphing highest density regions", The American
           Statistician 50 (1996) 120-126, https://doi.org/10.1080/00031305.1996.10474359

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0])
        >>> level = mixture.density_level(0.95)
        >>> mixture.score_samples([[1.9], [2.1]]) > level.log_density
        array([ True, False])
        """
        if not isinstance(mass, (float, int, np.number)) or not 0.0 < mass < 1.0:
            raise SettingError(f"mass is {mass!r}; give a probability between 0 and 1.")
        return self._ranks(n_drawn, seed).whole.level(mass)

    def modes(self) -> Modes:
        """Return the modes of the density that the means of components climb to [1]_.

        Returns
        -------
        Modes
            With `points` (m, d) in the units of the data, the highest one first, `log_densities`
            (m,) as of `score_samples`, and `of_components` (k,): the mode of each component, -1 for
            one without weight. Without the noise, which moves no mode.

        Raises
        ------
        ValueError
            Of a `BayesianGaussianMixture`, which has no normalised density.

        References
        ----------
        .. [1] M. A. Carreira-Perpinan, "Mode-finding for mixtures of Gaussian distributions", IEEE
           Transactions on Pattern Analysis and Machine Intelligence 22 (2000) 1318-1323,
           https://doi.org/10.1109/34.888716

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([0.3, 0.7], [[0.0], [9.0]], [1.0, 1.0])
        >>> mixture.modes().points.round(2)
        array([[9.],
               [0.]])
        """
        check_is_fitted(self)
        parameters, coordinates = self._parameters(), self._coordinates()
        check_density(parameters)
        found = modes(parameters)
        return (
            found if coordinates is None else replace(found, points=coordinates.undo(found.points))
        )

    def divergence(self, other: Density, *, n_drawn: int = DRAWN, seed: int = 0) -> Divergence:
        r"""Return the Kullback-Leibler divergence :math:`E_p \log (p / q)` from another mixture.

        p is this mixture and q the other one, both over the columns of the data [1]_.

        Parameters
        ----------
        other : Density
            Over the same columns.
        n_drawn : int, default=100_000
            Rows that are drawn from this mixture. Of two Gaussians the value is exact.
        seed : int, default=0
            Of these rows.

        Returns
        -------
        Divergence
            With `value`, in nats, and its `standard_error`.

        Raises
        ------
        SettingError
            If the other one is no mixture of daskgmm, or over different columns.
        ValueError
            As of `marginal`.

        References
        ----------
        .. [1] S. Kullback, R. A. Leibler, "On information and sufficiency", Annals of Mathematical
           Statistics 22 (1951) 79-86, https://doi.org/10.1214/aoms/1177729694

        Examples
        --------
        >>> from daskgmm import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters([1.0], [[0.0]], [1.0])
        >>> other = GaussianMixture.from_parameters([1.0], [[2.0]], [1.0])
        >>> mixture.divergence(other).value
        2.0
        """
        if not isinstance(other, Density):
            raise SettingError(
                f"other is a {type(other).__name__}; give a mixture of daskgmm, as "
                "GaussianMixture.from_sklearn and GaussianMixture.from_parameters make one."
            )
        check_is_fitted(self)
        check_is_fitted(other)
        ours, theirs = (self._n_columns(), self._names()), (other._n_columns(), other._names())
        known = None not in (ours[1], theirs[1])
        if ours[0] != theirs[0] or (known and ours[1] != theirs[1]):
            raise SettingError(
                f"The mixtures are over different columns: {ours[0]} ({_listed(ours[1])}) and "
                f"{theirs[0]} ({_listed(theirs[1])}). Take `marginal` of the ones that both have."
            )
        _check_whole("n_drawn", n_drawn, 2)
        return divergence(self._plain(), other._plain(), _seed(seed), n_drawn)

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
        _check_whole("n_samples", n_samples, 1)
        if chunks is not None:
            _check_whole("chunks", chunks, 1)
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

    def _names(self) -> tuple[str, ...] | None:
        return feature_names(self)

    def _n_columns(self) -> int:
        check_is_fitted(self)
        coordinates = self._coordinates()
        return int(self.means_.shape[1]) if coordinates is None else coordinates.n_columns

    def _plain(self, columns: Sequence[int] | None = None) -> Parameters:
        return plain(self._parameters(), self._coordinates(), columns)

    def _mixture_over(self, parameters: Parameters, columns: Sequence[int]) -> GaussianMixture:
        """Return the mixture of parameters over some columns of the data."""
        # It is made from this class.
        from daskgmm.models.gaussian_mixture import GaussianMixture

        names = self._names()
        own = None if names is None else [names[place] for place in columns]
        mixture = made_of(GaussianMixture, parameters, settings_kept(self), own)
        if hasattr(self, "feature_dims_"):
            mixture.feature_dims_ = self.feature_dims_
        units = getattr(self, "feature_units_", None)
        if units is not None:
            mixture.feature_units_ = tuple(units[place] for place in columns)
        return mixture

    def _sampler(self, seed: int) -> Sampler:
        check_is_fitted(self)
        parameters = self._parameters()
        box = box_of(self) if parameters.has_noise else None
        return Sampler(parameters, self._coordinates(), box, seed)

    def _ranks(self, n_drawn: int, seed: int) -> RanksOfRows:
        check_is_fitted(self)
        check_density(self._parameters())
        _check_whole("n_drawn", n_drawn, 100)
        sampler = self._sampler(_seed(seed))
        return RanksOfRows.of(replace(sampler, coordinates=None), n_drawn)

    def _seed(self, seed: int | None) -> int:
        if seed is not None:
            return _seed(seed)
        own = self.random_state
        if isinstance(own, (int, np.integer)):
            _check_whole("random_state", own, 0)
            return int(own)
        return int(check_random_state(own).randint(2**31))


def _seed(seed: Any) -> int:
    _check_whole("seed", seed, 0)
    return int(seed)


def _check_whole(name: str, value: Any, least: int) -> None:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least:
        raise SettingError(f"{name} is {value!r}; give a whole number, {least} or more.")


def _point(values: Mapping[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    for column, value in values.items():
        try:
            finite = np.ndim(value) == 0 and abs(float(value)) <= LARGEST_VALUE
        except (TypeError, ValueError):
            finite = False
        if not finite:
            raise SettingError(
                f"The value of column {column!r} is {value!r}; give a number, of 1e150 at "
                "most. For many rows see `regress`."
            )
    return np.array([float(value) for value in values.values()])


def _listed(names: tuple[str, ...] | None) -> str:
    return "without names" if names is None else ", ".join(names)
