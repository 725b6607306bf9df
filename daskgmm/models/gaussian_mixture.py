"""The estimator: scikit-learn's `GaussianMixture`, for rows that need not fit in memory."""

from __future__ import annotations

import os
import warnings
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Reference
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from daskgmm.em.acceleration import Search
from daskgmm.em.events import Listener, silence, together
from daskgmm.em.far_values import warn_of_unresolved
from daskgmm.em.fit import Request, Resume, check_enough, fit
from daskgmm.em.history import history_table, log_event
from daskgmm.em.loop import Fit
from daskgmm.em.settings import Settings
from daskgmm.em.survey import Survey, survey_rows
from daskgmm.em.weighing import check_meaning
from daskgmm.errors import DegenerateComponentWarning, ScaleWarning
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.floor import Resting
from daskgmm.gaussian.maximise import ILL_DEFINED, Maximised
from daskgmm.gaussian.structures import STRUCTURES
from daskgmm.models.constraints import Axes, KeysOf, plain_axes
from daskgmm.models.costs import cache_nbytes, cut, plan_of
from daskgmm.models.criteria import doubt
from daskgmm.models.degeneracy import degeneracies, swallowed
from daskgmm.models.fitted_on import fitted_on
from daskgmm.models.initial import check_initial
from daskgmm.models.inputs import check_enough_columns, training_rows
from daskgmm.models.order import reordered, reordered_search
from daskgmm.models.portable import Portable
from daskgmm.models.singular import singular_columns
from daskgmm.models.verbose import Printer
from daskgmm.passes.dataset import Dataset
from daskgmm.storage_options import StorageOptions


class GaussianMixture(Portable):
    """Gaussian mixture fitted by expectation-maximisation, out of core.

    Parameters, attributes and methods have the names, defaults and meanings of
    `sklearn.mixture.GaussianMixture`. X may be a NumPy array, a memory map, a Zarr array, a
    Dask array, the path or URL of a Zarr array or of Parquet files, a data frame of Dask or
    Polars, or a list of any of these; rows are read chunk by chunk, one pass for the survey
    and one for each iteration. Passes run on the current `distributed.Client` if there is
    one, else on threads.

    Parameters
    ----------
    n_components : int, default=1
        k, the number of components.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        Each component its own covariance matrix, one matrix for all, a variance for each
        feature, or a single variance.
    tol : float, default=1e-3
        Plain EM stops when the mean log-likelihood changes by less, in nats a row, as
        scikit-learn's does. Accelerated EM stops when less than a hundredth of it is predicted
        to be left, twice in a row: the last change is no measure of that.
    reg_covar : float, default=1e-6
        Added to the diagonals of the covariances, in squared units of the data.
    max_iter : int, default=100
        Most iterations; each is one pass.
    n_init : int, default=1
        Number of starts; the best is kept. Where starts are tried on a sample, up to eight for
        each.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}, default="kmeans"
        How to start. With acceleration, where there are more than twice as many rows as
        `sample_rows`, up to eight starts are tried on a sample of them (fewer where they would
        take long), and the last two compared on all rows in one pass. Otherwise the start is made
        on all rows, as scikit-learn does (without acceleration on a sample if there are more than
        100,000), and with "kmeans" and acceleration compared with up to eight others.
    acceleration : {"auto", None}, default="auto"
        "auto" takes fewer passes than EM, and its likelihood never falls. None is plain EM,
        iteration by iteration scikit-learn's.
    sample_rows : int or None, default=None
        Rows of the sample that starts are made on; None for 50 for each free parameter, at
        least 10,000. They depend on the data, the seed and the row numbers, not on chunks.
    missing : {"error", "drop"}, default="error"
        What to do with rows that miss a value: NaN, or what the source declares as missing
        (`_FillValue` and the like). "drop" fits to the other rows, and predicts -1 and NaN
        for these.
    standardise : bool, default=False
        Whether to divide the columns by their standard deviations, which the first pass tells.
    pca : int, float or None, default=None
        Fit in principal components of the columns: so many, or as few as explain this part of
        the variance (0 < pca < 1). Both belong to the model: rows are given as they are, and
        `means_`, `covariances_` and densities are those of the mapped rows, and `reg_covar` is
        in their units. See `means_in_data_units`. `means_init` are points of the data all the
        same; `precisions_init` cannot be given.
    weights_init : array-like of shape (k,), optional
    means_init : array-like of shape (k, d), optional
    precisions_init : array-like, optional
        (k, d, d) full, (d, d) tied, (k, d) diag, (k,) spherical.
    random_state : int, RandomState instance or None, default=None
    warm_start : bool, default=False
        Whether the next call of `fit` goes on from this one's result.
    verbose : int, default=0
        1 prints each start and every `verbose_interval`-th iteration, 2 their times too.
    verbose_interval : int, default=10

    Attributes
    ----------
    weights_ : ndarray of shape (k,)
    means_ : ndarray of shape (k, d)
    covariances_, precisions_, precisions_cholesky_ : ndarray
        (k, d, d) full, (d, d) tied, (k, d) diag, (k,) spherical; float64, as all of these,
        whatever the type of X.
    converged_ : bool
    n_iter_ : int
        Iterations of the best start.
    lower_bound_ : float
        Mean log-likelihood, in nats a row, that the best pass measured: of the parameters
        before the last M-step, as in scikit-learn. With acceleration it is that of rows with
        noise of variance `reg_covar`, a lower bound of the other (`score`): adding `reg_covar`
        to the covariances never lowers it, while the other may fall by about as much.
    lower_bounds_ : list of float
        The same for every iteration; a pass that rejected what acceleration had proposed
        repeats the one before.
    gap_estimate_ : float
        How much more likelihood a longer fit would find, in nats a row, as far as the last
        passes tell; nan for plain EM. It sees no plateaus, and no other maxima: where clusters
        overlap much, 60 times as much was measured.
    history_ : dict of lists
        One entry for each iteration of the best start: initialisation, iteration,
        lower_bound, change, gap (as `gap_estimate_`), accepted, rows, seconds, nbytes (read)
        and peak_memory (bytes, of the largest process). `pandas.DataFrame` takes it as it is.
    coordinates_ : Coordinates or None
        The map from columns to what the mixture is fitted in, of `standardise` and `pca`.
    fitted_on_ : dict
        What the model was fitted to, in plain values: source, rows, missing (rows left out),
        weight (the sum of all), dtype, mean, minimum, maximum, effective_rows, weights_are (what
        was said of them), and sha256, a digest of the facts before these two.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (d,)
        Only if X has column names that are strings. Of labelled arrays: names of variables
        and places along `feature_dims`, as in "temp(depth=10)".
    feature_dims_, feature_units_ : tuple of str
        Only of labelled arrays: `feature_dims`, and the units that variables declare.

    Notes
    -----
    Acceleration is squared extrapolation (Varadhan & Roland 2008) followed by limited-memory
    quasi-Newton steps with the gradient that the statistics of a pass give, in coordinates in
    which EM is steepest ascent; what lowers the likelihood is thrown away for the EM step.

    A component that dies is tried once on one half of the heaviest one, and kept with weight 0
    if that does not raise the likelihood.

    Differs from scikit-learn: `fit` takes `sample_weight`; sums are in float64 whatever the
    type of X; data far from the origin and components far apart lose no digits; components
    without rows and singular covariances end in a `DegenerateComponentWarning` and a usable
    model where `reg_covar` is positive.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import GaussianMixture
    >>> X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    >>> mixture = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> mixture.means_.round(6) + 0.0
    array([[10.,  2.],
           [ 1.,  2.]])
    >>> mixture.predict([[0, 0], [12, 3]])
    array([1, 0])
    """

    # The same constraints give the same errors; they are data, and public in effect.
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Reference._parameter_constraints,
        "covariance_type": [KeysOf(STRUCTURES)],
        "acceleration": [StrOptions({"auto"}), None],
        "sample_rows": [Interval(Integral, 1, None, closed="left"), None],
        "missing": [StrOptions({"error", "drop"})],
        "standardise": ["boolean"],
        "pca": [Axes(), None],
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        acceleration: str | None = "auto",
        sample_rows: int | None = None,
        missing: str = "error",
        standardise: bool = False,
        pca: int | float | None = None,
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.acceleration = acceleration
        self.sample_rows = sample_rows
        self.missing = missing
        self.standardise = standardise
        self.pca = pca
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        weights_are: str | None = None,
        feature_dims: Sequence[Hashable] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        cache: int | str | None = None,
        listen: Listener | None = None,
        storage_options: StorageOptions | None = None,
    ) -> GaussianMixture:
        r"""Estimate the parameters; eager, whatever X is.

        Parameters
        ----------
        X : array-like, data frame, Dask or Zarr array, h5py.Dataset, path, or list; shape (n, d)
            What is not in memory is read in pieces; an array-like that only loads as a whole is
            refused if it is large, and so is what is masked.
        y : ignored
        sample_weight : array-like, Dask array, Zarr array, str, path or URL, optional; shape (n,)
            A string that names a column of X takes that column, which is no feature then.
            How much each row counts; finite and not negative. Parameters depend on ratios of
            weights alone: integer weights give those of repeated rows, weight 0 those without the
            row. For xarray's X also a DataArray with some or all of its sample dimensions (the
            cosine of latitude), or the name of a variable.
        weights_are : {"relative", "counts"}, optional
            What the weights mean, and so what n is in AIC, BIC and ICL. Of relative weights
            (shares, areas, probabilities) it is the number of effective rows,
            :math:`(\sum w)^2 / \sum w^2` [1]_: the number of rows where all weigh the same, fewer
            where they differ, and the same for any scale of the weights. Of counts, where a row
            stands for so many that were observed, it is their sum. By default relative, and
            criteria warn if the weights are whole numbers, as counts are. The fit itself does
            not depend on it.
        feature_dims : sequence of str, optional
            Of a DataArray or Dataset: the dimensions whose points are features, next to the
            variables of a Dataset. All others are sample dimensions: each point is a row.
        checkpoint : path or URL, optional
            A file that is written, whole, after every iteration. If it is there when the fit
            begins, the fit goes on where it stopped, and ends with the same bits as one that
            was never interrupted. With other data or settings it is refused; with a single
            start, `max_iter` alone may be raised.
        cache : int or str, optional
            Bytes, or a size such as ``"2GiB"``: so much of the decoded rows stays in memory
            between passes, on the workers or in this process. By default nothing does.
        listen : callable, optional
            Called with each `daskgmm.em.events.Event` of the fit.
        storage_options : mapping, optional
            Of X, `sample_weight` and `checkpoint` where they are URLs: given on to fsspec, as in
            `daskgmm.open_data`, which opens data with options for the other methods. By
            default fsspec's configuration and what the environment says hold alone.

        Returns
        -------
        GaussianMixture
            This estimator.

        Raises
        ------
        ValueError
            If a setting, a row or a weight cannot be used, or a covariance collapses while
            `reg_covar` is 0. Errors about values in X (`daskgmm.errors.DataError`) name the
            batch, row and column.
        OSError
            If X cannot be opened or read (`daskgmm.errors.SourceError`).
        CheckpointError, PlanError, ClusterError
            Of `daskgmm.errors`: if a checkpoint is damaged or of another fit, if a worker
            would need more memory than it may take, if the cluster is lost.

        Warns
        -----
        ConvergenceWarning
            If EM did not converge in `max_iter` iterations.
        ResolutionWarning
            If values lie so far from all others, or components so far from zero beside their
            width, that numbers do not hold both, as where a fill value was not declared.
        DegenerateComponentWarning
            If a component has no rows or a singular covariance, or is so narrow that only
            `reg_covar`, tied values or rounding keep it from being narrower.
        ScaleWarning
            If `reg_covar` is large beside the variance of a column.

        References
        ----------
        .. [1] L. Kish, "Survey Sampling", Wiley (1965).
        """
        with self._kept_if_it_fails(weights_are):
            return self._fit(
                X,
                sample_weight,
                weights_are,
                feature_dims,
                checkpoint,
                cache_nbytes(cache),
                listen,
                storage_options,
            )

    def fit_predict(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        weights_are: str | None = None,
        feature_dims: Sequence[Hashable] | None = None,
    ) -> Any:
        """Fit to X and return the labels of its rows, as `predict` does."""
        # Not by way of `fit`: warnings are to point at the line that called this.
        with self._kept_if_it_fails(weights_are):
            self._fit(X, sample_weight, weights_are, feature_dims)
        return self.predict(X)

    @contextmanager
    def _kept_if_it_fails(self, weights_are: str | None) -> Iterator[None]:
        """Check the settings of a fit; if it fails, keep what was fitted before."""
        self._validate_params()
        check_meaning(weights_are)
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            # Its features too.
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _fit(
        self,
        x: Any,
        sample_weight: Any,
        weights_are: str | None,
        feature_dims: Sequence[Hashable] | None,
        checkpoint: Any = None,
        cache: int = 0,
        listen: Listener | None = None,
        options: StorageOptions | None = None,
    ) -> GaussianMixture:
        rows, weights = training_rows(self, x, sample_weight, feature_dims, options)
        check_enough(rows.n_rows, self.n_components)
        check_enough_columns(self.pca, rows.n_features)
        request = self._request(rows.n_features)
        request = replace(request, checkpoint=checkpoint, storage_options=options)
        data = cut(rows, weights, request.settings, cache)
        try:
            starts = request.starts(rows.n_features, rows.n_rows)
            plan_of(data, request.settings, starts).check()
            try:
                found = fit(data, request, self._listener(listen))
            except ValueError as error:
                if str(error) == ILL_DEFINED:
                    self._explain(data, error)
                raise
        finally:
            data.close()
        self._ended_with = self.reg_covar
        self._set_seen(found.coordinates, fitted_on(data, found.survey, x, weights_are))
        survey = found.survey.mapped(found.coordinates)
        resting = survey.floor(request.settings.reg_covar).resting(found.best.step)
        self._warn_of_scale(survey)
        self._keep(found.best, found.before, resting)
        self._scatter = found.survey.scatter if self.warm_start else None
        self._doubt = None if weights is None else doubt(found.survey.weighing, weights_are)
        fitted = found.best.step.parameters, found.coordinates, found.survey
        warn_of_unresolved(*fitted, data.rows.columns, stacklevel=3)
        return self

    def _explain(self, data: Dataset, error: ValueError) -> None:
        """Raise the error with the columns to blame, if there are some; another pass tells."""
        survey, names = survey_rows(data, None, silence), self._column_names()
        cause = singular_columns(survey, self.covariance_type, float(self.reg_covar), names)
        if cause is not None:
            raise ValueError(f"{error} {cause}") from error

    def _warn_of_scale(self, survey: Survey, stacklevel: int = 4) -> None:
        # Trailing principal axes are small by intention.
        if self.pca is None:
            message = swallowed(survey, float(self.reg_covar), self._axis_names())
            if message is not None:
                warnings.warn(message, ScaleWarning, stacklevel=stacklevel)

    def _axis_names(self) -> list[str]:
        """Return the names of the model's coordinates in messages."""
        if self.coordinates_ is not None and self.coordinates_.axes is not None:
            return [f"principal axis {j}" for j in range(self.coordinates_.n_features)]
        return self._column_names()

    def _column_names(self) -> list[str]:
        """Return the names of the columns of X in messages."""
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            return [f"column {j}" for j in range(self.n_features_in_)]
        return [f"column {j} ({name!r})" for j, name in enumerate(map(str, names))]

    def _set_seen(self, coordinates: Coordinates | None, fitted: dict[str, Any]) -> None:
        self.coordinates_, self.fitted_on_ = coordinates, fitted
        self._fitted_in = (bool(self.standardise), self.pca)

    def _request(self, columns: int) -> Request:
        settings = self._settings()
        structure = STRUCTURES[self.covariance_type]
        self._check_precisions_init()
        given = (self.weights_init, self.means_init, self.precisions_init)
        initial = check_initial(structure, self.n_components, columns, *given)
        resume = None
        if self.warm_start and hasattr(self, "converged_"):
            self._check_resumable(settings.n_features(columns))
            resume = Resume(
                self._parameters(),
                self.lower_bound_,
                self._search_to_go_on(),
                self._coordinates(),
                getattr(self, "fitted_on_", None) or None,
                getattr(self, "_scatter", None),
            )
        random, seeded = check_random_state(self.random_state), self.random_state is not None
        return Request(settings, initial, random, seeded, resume)

    def _check_precisions_init(self) -> None:
        if self.precisions_init is not None and (self.standardise or self.pca is not None):
            raise ValueError(
                "precisions_init cannot be given with standardise or pca, as coordinates are known "
                "after the first pass only. Give weights_init and means_init, or preprocess the "
                "rows yourself."
            )

    def _search_to_go_on(self) -> Search | None:
        """Return what acceleration knew at the end of the last fit, unless it was of another."""
        ended: Fit | None = getattr(self, "_ended", None)
        if self.acceleration is None or ended is None:
            return None
        parameters = ended.step.parameters
        same = self.means_ is parameters.means and self.weights_ is parameters.weights
        factors = self._parameters().precisions_cholesky
        same = same and np.array_equal(factors, parameters.precisions_cholesky)
        same = same and self._ended_with == self.reg_covar
        return ended.search if same else None

    def _reorder(self, order: NDArray[np.intp]) -> None:
        search, ended = self._search_to_go_on(), getattr(self, "_ended", None)
        super()._reorder(order)
        if search is not None and ended is not None:
            # A warm start knows where the last fit ended by the arrays themselves.
            parameters = replace(
                reordered(ended.step.parameters, order), weights=self.weights_, means=self.means_
            )
            search = reordered_search(search, order)
            self._ended = replace(ended, step=Maximised(parameters), search=search)

    def _check_resumable(self, d: int) -> None:
        asked = (bool(self.standardise), self.pca)
        plain = (self._coordinates() is None) == (asked == (False, None))
        if not plain or getattr(self, "_fitted_in", asked) != asked:
            raise ValueError(
                "With warm_start=True the fit goes on from the last one, in its coordinates, and "
                "standardise or pca were changed since. Set warm_start=False to begin anew."
            )
        k, structure = self.n_components, STRUCTURES[self.covariance_type]
        found = self.means_.shape, np.shape(self.covariances_)
        wanted = (k, d), structure.external_shape(k, d)
        if found != wanted or (
            getattr(self, "_fitted_structure", self.covariance_type) != self.covariance_type
        ):
            raise ValueError(
                "With warm_start=True the fit goes on from the last one, which had means and "
                f"covariances of shapes {found}; the settings and X ask for {wanted}. Set "
                "warm_start=False to begin anew."
            )

    def _settings(self) -> Settings:
        return Settings(
            int(self.n_components),
            self.covariance_type,
            float(self.tol),
            float(self.reg_covar),
            int(self.max_iter),
            int(self.n_init),
            self.init_params,
            self.acceleration is not None,
            None if self.sample_rows is None else int(self.sample_rows),
            self.missing == "drop",
            bool(self.standardise),
            plain_axes(self.pca),
        )

    def _listener(self, listen: Listener | None) -> Listener:
        printers = [Printer(int(self.verbose), self.verbose_interval)] if self.verbose else []
        return together(log_event, *printers, *([] if listen is None else [listen]))

    def _keep(self, found: Fit, before: float, resting: Sequence[Resting] = ()) -> None:
        """Set the fitted attributes, and warn of what the user should know."""
        parameters = found.step.parameters
        structure = STRUCTURES[parameters.structure]
        self._criteria = None
        self._fitted_structure = parameters.structure
        self.weights_, self.means_ = parameters.weights, parameters.means
        d, precision = parameters.n_features, structure.precision
        factors = parameters.precisions_cholesky
        self.covariances_ = structure.external(parameters.covariances, d)
        self.precisions_cholesky_ = structure.external(factors, d)
        self.precisions_ = structure.external(precision.precisions(factors), d)
        traces = precision.traces(factors, d)
        self._noise = 0.5 * self._settings().noise * float((parameters.weights * traces).sum())
        self.gap_estimate_ = found.gap
        self._ended = found if self.warm_start else None
        self.converged_, self.n_iter_ = found.converged, len(found.iterations)
        self.history_ = history_table(found.iterations)
        self.lower_bounds_ = list(self.history_["lower_bound"])
        self.lower_bound_ = found.lower_bound
        if not found.iterations:
            self.lower_bound_ = before
        # A start from single rows has no spread yet.
        resting = resting if found.iterations else ()
        for message in degeneracies(found.step, resting, self._axis_names()):
            warnings.warn(message, DegenerateComponentWarning, stacklevel=4)
        if not self.converged_ and self.max_iter > 0:
            warnings.warn(
                "Best performing initialization did not converge. Try different init "
                "parameters, or increase max_iter, tol, or check for degenerate data.",
                ConvergenceWarning,
                stacklevel=4,
            )
