"""Base class of estimators of a mixture: check, run EM, set attributes, warn."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from copy import copy
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Reference
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from daskgmm.blas import one_blas_thread
from daskgmm.counting import counted
from daskgmm.em.events import Listener, silence, together
from daskgmm.em.fit import Fitted, InterruptedFit, StopFit, fit
from daskgmm.em.history import history_table, log_event
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.models.choice import model_of
from daskgmm.em.models.model import Model
from daskgmm.em.objective import Objective
from daskgmm.em.request import Request
from daskgmm.em.settings import Settings
from daskgmm.em.survey.far_values import warn_of_unresolved
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.survey import Survey
from daskgmm.em.survey.weighing import check_meaning
from daskgmm.em.survey.with_sample import check_enough
from daskgmm.errors import DegenerateComponentWarning, ScaleWarning, WeightsWarning
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.floor import Resting
from daskgmm.gaussian.m_step import ILL_DEFINED, Maximised
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.prior import Prior
from daskgmm.gaussian.priors.table import PRIORS, shortest
from daskgmm.live.showing import asked, showing
from daskgmm.models.density.density import Density
from daskgmm.models.facts.criteria import BOTH_COUNT, CRITERIA_COUNT, PRIOR_COUNTS, doubt
from daskgmm.models.facts.degeneracy import degeneracies, swallowed, warn_of_spread_within_noise
from daskgmm.models.facts.fitted_on import fitted_on
from daskgmm.models.facts.order import NUMBERED, reordered, reordered_search
from daskgmm.models.facts.seen import SEEN
from daskgmm.models.facts.singular import singular_columns
from daskgmm.models.fitting.callbacks import CallbackSupportMixin, Printer, told_to_callbacks
from daskgmm.models.fitting.request import request_of, search_to_go_on
from daskgmm.models.inputs.costs import TrainingData, cache_nbytes, cut, plan_of
from daskgmm.models.inputs.rows import check_enough_columns
from daskgmm.models.mixtures.fitted import set_arrays
from daskgmm.models.settings.constraints import Axes, KeysOf, OfTypesIn, StructureNames, plain_axes
from daskgmm.models.settings.equal_weights import check_equal_weights, check_prior_of_weights
from daskgmm.models.settings.factors import check_factors, check_factors_of
from daskgmm.models.settings.missing import check_missing
from daskgmm.models.settings.outliers import (
    check_outliers,
    outliers_of,
    set_outliers,
)
from daskgmm.models.settings.precision import check_precision
from daskgmm.models.settings.truncation import check_truncation
from daskgmm.names import FLOAT32, FLOAT64, MARGINALISE, TAILS
from daskgmm.passes.dataset import Dataset
from daskgmm.progress import Forecast
from daskgmm.rows.checks.whereabouts import naming
from daskgmm.rows.sources import source_of
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions
from daskgmm.user_warnings import warn_user

DEGENERATE = "Some components are degenerate; a warning of the fit said which."


class MixtureEstimator(CallbackSupportMixin, Density):  # type: ignore[misc]
    """A mixture that is fitted by EM: base class of estimators.

    A subclass has a constructor that takes some of the settings below and sets them as attributes;
    the others have these values. A name in `ESTIMATORS` lets `load_model` find it. What it does not
    call a setting of its own may be a class attribute: ``covariance_type = "diag"``.
    """

    _is_base = True

    n_components: int = 1
    covariance_type: str = "full"
    n_factors: int | None = None
    tol: float = 1e-3
    reg_covar: float = 1e-6
    prior: str | Prior | None = None
    max_iter: int = 100
    n_init: int = 1
    init_params: str = "kmeans"
    acceleration: str | None = "auto"
    sample_rows: int | None = None
    missing: str = "error"
    standardise: bool = False
    pca: int | float | None = None
    noise: bool = False
    tails: str | None = None
    equal_weights: bool = False
    precision: str = FLOAT64
    n_candidates: int | None = None
    weights_init: Any = None
    means_init: Any = None
    precisions_init: Any = None
    random_state: Any = None
    warm_start: bool = False
    verbose: int = 0
    verbose_interval: int = 10

    # The same constraints give the same errors; they are data, and public in effect.
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Reference._parameter_constraints,
        "covariance_type": [StructureNames(STRUCTURES, FAMILIES)],
        "n_factors": "no_validation",  # see `check_factors`
        "prior": [KeysOf(PRIORS), OfTypesIn(PRIORS), None],
        "precisions_init": ["array-like", Interval(Real, None, None, closed="neither"), None],
        "acceleration": [StrOptions({"auto"}), None],
        "sample_rows": [Interval(Integral, 1, None, closed="left"), None],
        "missing": [StrOptions({"error", "drop", MARGINALISE})],
        "standardise": ["boolean"],
        "pca": [Axes(), None],
        "noise": ["boolean"],
        "tails": [StrOptions({*TAILS}), None],
        "equal_weights": ["boolean"],
        "precision": [StrOptions({FLOAT64, FLOAT32})],
        "n_candidates": [Interval(Integral, 1, None, closed="left"), None],
    }

    def _keep_settings(self, given: Mapping[str, Any]) -> None:
        """Set the parameters of a constructor, of which these are all names, as they were given."""
        self.__dict__.update({name: given[name] for name in given if name != "self"})

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        labels: Any = None,
        weights_are: str | None = None,
        noise_variance: Any = None,
        feature_dims: Sequence[Hashable] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        cache: int | str | None = None,
        listen: Listener | None = None,
        progress: bool | None = None,
        storage_options: StorageOptions | None = None,
    ) -> Self:
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
            weights alone: integer weights give those of repeated rows (with a prior, where they are
            said to be counts), weight 0 those without the row. For xarray's X also a DataArray with
            some or all of its sample dimensions (the cosine of latitude), or the name of a
            variable.
        labels : as `sample_weight`, optional; shape (n,)
            The component of each row where it is known, a number from 0 to k - 1, and -1 or NaN
            where it is not. The likelihood that is maximised has the densities of known components
            alone for such rows; with all labels known the fit is one M-step, with none it is that
            without labels. Starts begin at the labelled rows. A labelled row is no outlier: with
            `noise` it has no part in the uniform component, and with `tails` it weighs in its
            component as others do. y is ignored, as everywhere where labels cost nothing but are
            not to be learnt from (pipelines pass it to every step); `GaussianMixtureClassifier`
            learns from it.
        weights_are : {"relative", "counts"}, optional
            What the weights mean, and so what n is in AIC, BIC and ICL. Of relative weights
            (shares, areas, probabilities) it is the number of effective rows,
            :math:`(\sum w)^2 / \sum w^2` [1]_: the number of rows where all weigh the same, fewer
            where they differ, and the same for any scale of the weights. Of counts, where a row
            stands for so many that were observed, it is their sum. By default relative, and
            criteria warn if the weights are whole numbers, as counts are. The fit itself does
            not depend on it, but for a prior, which counts rows in the same way.
        noise_variance : array-like, Dask or Zarr array, list of str, path, or number, optional
            Known noise of each row: variances (n, d) or covariance matrices (n, d, d), or names of
            columns of X, which are no features then, one for each feature in their order. What all
            rows share is (d,), (d, d) or a number, and costs next to nothing. The mixture is then
            that of rows without noise (extreme deconvolution [2]_), and likelihoods are those of
            rows with it. For xarray's X names of variables, or labelled arrays on the same grid.
            Where n is d, a symmetric matrix may be either: give (n, d, d). Not with `missing`
            "marginalise", `pca`, `standardise`, `noise`, `tails`, types with factors, or a
            Bayesian mixture.
        feature_dims : sequence of str, optional
            Of a DataArray or Dataset: the dimensions whose points are features, next to the
            variables of a Dataset. All others are sample dimensions: each point is a row.
        checkpoint : path or URL, optional
            A file that is written, whole, after every iteration. If it is there when the fit
            begins, the fit resumes where it stopped, and ends with the same bits as one that
            was never interrupted. With other data or settings it is refused; with a single
            start, `max_iter` alone may be raised.
        cache : int or str, optional
            Bytes, or a size such as ``"2GiB"``: so much of the decoded rows stays in memory
            between passes, on the workers or in this process. By default nothing does.
        listen : callable, optional
            Called with each `daskgmm.em.events.Event` of the fit.
        progress : bool, optional
            Whether to show the fit while it runs: in the output of a notebook's cell, or else on
            standard error. By default the value of ``daskgmm.progress`` in Dask's configuration, or
            "auto": a fit that takes longer than a second is shown in notebooks and at Python's
            prompt, and nowhere else.
        storage_options : mapping, optional
            Of X, `sample_weight` and `checkpoint` where they are URLs: given on to fsspec, as in
            `daskgmm.open_data`, which opens data with options for the other methods. By
            default fsspec's configuration and what the environment says hold alone.

        Returns
        -------
        MixtureEstimator
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
        KeyboardInterrupt
            If it is interrupted, as by Ctrl-C. After an iteration the estimator then has the model
            that it ended with, as with so small a `max_iter`, and ``converged_`` is False.

        Warns
        -----
        ConvergenceWarning
            If EM did not converge in `max_iter` iterations.
        ResolutionWarning
            If values lie so far from all others, or components so far from zero beside their
            width, that numbers do not hold both, as where a fill value was not declared.
        DegenerateComponentWarning
            If a component has no rows or a singular covariance, or is so narrow that only
            `reg_covar`, tied values or rounding keep it from being narrower; or if `noise_variance`
            explains its spread.
        ScaleWarning
            If `reg_covar` is large beside the variance of a column.
        IdColumnWarning
            If a column of a table numbers its rows, as an id does.

        References
        ----------
        .. [1] L. Kish, "Survey Sampling", Wiley (1965).
        .. [2] J. Bovy, D. W. Hogg, S. T. Roweis, "Extreme deconvolution: inferring complete
           distribution functions from noisy, heterogeneous and incomplete observations", Annals of
           Applied Statistics 5 (2011) 1657-1677, https://doi.org/10.1214/10-AOAS439

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.random.default_rng(0).normal([2, 5], size=(1000, 2))
        >>> mixture = GaussianMixture(n_components=1).fit(X)
        >>> mixture.means_.round(1)
        array([[2., 5.]])
        """
        with self._kept_if_it_fails(weights_are):
            source = source_of(X, storage_options)
            given = TrainingData(
                source, sample_weight, weights_are, feature_dims, labels, None, noise_variance
            )
            saved = None if checkpoint is None else Address.of(checkpoint, storage_options)
            return self._fit(given, saved, cache_nbytes(cache), listen, progress)

    def fit_predict(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        labels: Any = None,
        weights_are: str | None = None,
        noise_variance: Any = None,
        feature_dims: Sequence[Hashable] | None = None,
    ) -> Any:
        """Fit to X and return the components of its rows as `predict` does, whatever labels say.

        Parameters
        ----------
        X, y, sample_weight, labels, weights_are, noise_variance, feature_dims : as in `fit`

        Returns
        -------
        array of int64, shape (n,)
            As `predict` returns it.

        Raises
        ------
        ValueError, OSError
            As `fit` does.

        Examples
        --------
        >>> import numpy as np
        >>> from daskgmm import GaussianMixture
        >>> X = np.concatenate([np.arange(5), np.arange(50, 55)])[:, None]
        >>> labels = GaussianMixture(n_components=2, random_state=0).fit_predict(X)
        >>> np.bincount(labels)
        array([5, 5])
        """
        # Not by way of `fit`: warnings are to point at the line that called this.
        with self._kept_if_it_fails(weights_are):
            beside = sample_weight, weights_are, feature_dims, labels, None, noise_variance
            self._fit(TrainingData(source_of(X), *beside))
        return self.predict(X, noise_variance=noise_variance)

    @contextmanager
    def _kept_if_it_fails(self, weights_are: str | None) -> Iterator[None]:
        """Check the settings of a fit; if it fails, keep what was fitted before."""
        self._validate_params()
        check_meaning(weights_are)
        before = dict(self.__dict__)
        try:
            # Here too: what M-steps round to would depend on whether a task has just ended.
            with one_blas_thread():
                yield
        except InterruptedFit as interrupted:
            # What it has found so far stays.
            interrupt = interrupted.__cause__
            assert interrupt is not None, "an interruption is its cause"
            for sentence in (self._so_far(), *self._degenerate):
                interrupt.add_note(sentence)
            raise interrupt from None
        except BaseException:
            # Its features too.
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _fit(
        self,
        given: TrainingData,
        checkpoint: Address | None = None,
        cache: int = 0,
        listen: Listener | None = None,
        progress: bool | None = None,
    ) -> Self:
        shown = asked(progress)
        rows, beside = given.rows(self)
        with naming(rows.source):
            check_enough(rows.n_rows, self.n_components)
        check_enough_columns(self.pca, rows.n_features)
        settings = self._settings()
        check_factors_of([settings], rows.n_features)
        settings.check_prior(rows.n_features)
        check_prior_of_weights(settings, rows.n_features)
        if beside.weights is not None:
            settings = settings.weighed(given.weights_are)
        beside, settings = given.labelled(beside, settings)
        check_precision([settings], noisy=beside.noise is not None)
        check_truncation(self, settings, noisy=beside.noise is not None)
        request = replace(self._request(settings, rows.n_features), checkpoint=checkpoint)
        with closing(cut(rows, beside, settings, cache)) as data:
            starts = request.starts(rows.n_features, rows.n_rows)
            plan_of(data, settings, starts, kept=checkpoint is not None).check()
            of_fit, stopped = (data, settings, given), False
            with told_to_callbacks(self, given, partial(self._attributes, *of_fit)) as after:
                try:
                    with self._shown(shown) as display:
                        found = fit(data, request, self._listener(together(display, listen)), after)
                except ValueError as error:
                    if str(error) == ILL_DEFINED:
                        self._explain(data, error)
                    raise
                except InterruptedFit as interrupted:
                    found, stopped = interrupted.found, isinstance(interrupted.__cause__, StopFit)
                    self._take(*of_fit, found)
                    if not stopped:
                        raise
                else:
                    self._take(*of_fit, found)
        self._warn(found, settings, data.rows.columns, stopped=stopped)
        return self

    def _warn(
        self, found: Fitted, settings: Settings, columns: tuple[str, ...] | None, *, stopped: bool
    ) -> None:
        """Warn of what a fit has found, and of how it ended."""
        survey = found.survey.mapped(found.coordinates)
        self._warn_of_scale(survey)
        self._warn_of_end(stopped=stopped)
        if settings.counts_rows and self._doubt is not None:
            warn_user(self._doubt, WeightsWarning)
        step = found.best.step
        warn_of_spread_within_noise(survey, step, self._column_names())
        warn_of_unresolved(step.parameters, found.coordinates, found.survey, columns)

    def _shown(self, shown: bool | str) -> AbstractContextManager[Listener | None]:
        forecast = Forecast(float(self.tol), int(self.max_iter))
        k = counted(int(self.n_components), "component")
        return showing(shown, f"{type(self).__name__}, {k}", forecast)

    def _take(self, data: Dataset, settings: Settings, given: TrainingData, found: Fitted) -> None:
        """Set the fitted attributes; warn of nothing."""
        self._ended_with = Objective.of(settings, data.rows.n_features)
        facts = fitted_on(data, found.survey, given.source.x, given.weights_are)
        if settings.labelling is not None:
            facts["labelled_rows"] = settings.labelling.known
        self._set_seen(found.coordinates, facts)
        survey = found.survey.mapped(found.coordinates)
        resting = survey.resting(found.best.step, settings.reg_covar)
        self._keep(found.best, found.before, model_of(settings, survey), resting)
        self._scatter = found.survey.scatter if self.warm_start else None
        weighing = None if data.weights is None else found.survey.weighing
        counting = CRITERIA_COUNT if settings.prior is None else BOTH_COUNT
        counting = counting if settings.bayesian is None else PRIOR_COUNTS
        self._doubt = doubt(weighing, given.weights_are, counting)

    def _attributes(
        self, data: Dataset, settings: Settings, given: TrainingData, found: Fitted
    ) -> dict[str, Any]:
        """Return the attributes that a fit which ended here would have set."""
        other, before = copy(self), self.__dict__
        other._take(data, settings, given, found)
        return {name: value for name, value in vars(other).items() if before.get(name) is not value}

    def _so_far(self) -> str:
        """Return what a fit that was interrupted has left."""
        after = counted(int(self.n_iter_), "iteration")
        return f"The estimator has the model after {after}, which has not converged."

    def _explain(self, data: Dataset, error: ValueError) -> None:
        """Raise the error with the columns to blame, if there are some; another pass tells."""
        survey, names = survey_rows(data, None, silence), self._column_names()
        cause = singular_columns(survey, self._structure_name, float(self.reg_covar), names)
        if cause is not None:
            raise ValueError(f"{error} {cause}") from error

    def _warn_of_scale(self, survey: Survey) -> None:
        # Trailing principal axes are small by intention.
        if self.pca is None:
            message = swallowed(survey, float(self.reg_covar), self._axis_names())
            if message is not None:
                warn_user(message, ScaleWarning)

    def _axis_names(self) -> list[str]:
        """Return the names of the model's coordinates in messages."""
        coordinates = getattr(self, "coordinates_", None)
        if coordinates is not None and coordinates.axes is not None:
            return [f"principal axis {j}" for j in range(coordinates.n_features)]
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

    def _request(self, settings: Settings, columns: int) -> Request:
        return request_of(self, settings, columns)

    def _reorder(self, order: NDArray[np.intp]) -> None:
        search, ended = search_to_go_on(self), getattr(self, "_ended", None)
        super()._reorder(order)
        if self._degenerate:  # whose sentences have numbers of components
            self._degenerate = (DEGENERATE,)
        if search is not None and ended is not None:
            # A warm start knows where the last fit ended by the arrays themselves.
            parameters = replace(
                reordered(ended.step.parameters, order), weights=self.weights_, means=self.means_
            )
            search = reordered_search(search, order)
            self._ended = replace(ended, step=Maximised(parameters), search=search)

    def _validate_params(self) -> None:
        """Check all settings, those that are attributes of the class too."""
        settings = {name: getattr(self, name) for name in self._parameter_constraints}
        constraints = self._parameter_constraints
        validate_parameter_constraints(constraints, settings, caller_name=type(self).__name__)
        check_factors(self.covariance_type, self.n_factors)
        check_outliers(self)
        check_equal_weights(self)
        check_missing(self)

    def _settings(self) -> Settings:
        return Settings(
            n_components=int(self.n_components),
            structure=self._structure_name,
            tol=float(self.tol),
            reg_covar=float(self.reg_covar),
            max_iter=int(self.max_iter),
            n_init=int(self.n_init),
            init_params=self.init_params,
            accelerated=self.acceleration is not None,
            sample_rows=None if self.sample_rows is None else int(self.sample_rows),
            drop_missing=self.missing != "error",
            marginalise=self.missing == MARGINALISE,
            standardise=bool(self.standardise),
            pca=plain_axes(self.pca),
            prior=shortest(self.prior),
            outliers=outliers_of(self),
            equal_weights=bool(self.equal_weights),
            precision=self.precision,
            n_candidates=None if self.n_candidates is None else int(self.n_candidates),
        )

    def _listener(self, listen: Listener | None) -> Listener:
        printer = None
        if self.verbose:
            printer = Printer(int(self.verbose), self.verbose_interval, self._settings().prior_name)
        return together(log_event, printer, listen)

    def _keep(
        self, found: Fit, before: float, model: Model, resting: Sequence[Resting] = ()
    ) -> None:
        """Set the attributes that the iterations have found; `_warn_of_end` tells of them."""
        self._set_parameters(found.step.parameters, model)
        self._discount = model.discount(found.step)
        for name in ("adapted_", *SEEN, *NUMBERED):
            self.__dict__.pop(name, None)
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
        self._degenerate = tuple(degeneracies(found.step, resting, self._axis_names()))

    def _warn_of_end(self, *, stopped: bool = False) -> None:
        """Warn of components, and of a fit that did not converge unless it was stopped."""
        for message in self._degenerate:
            warn_user(message, DegenerateComponentWarning)
        if not self.converged_ and self.max_iter > 0 and not stopped:
            warn_user(
                "Best performing initialization did not converge. Try different init "
                "parameters, or increase max_iter, tol, or check for degenerate data.",
                ConvergenceWarning,
            )

    def _set_parameters(self, parameters: Parameters, model: Model) -> None:
        """Set the attributes that predictions depend on."""
        self._criteria, self._degenerate = None, ()
        self._fitted_structure = parameters.structure
        set_arrays(self, parameters)
        set_outliers(self, parameters)
