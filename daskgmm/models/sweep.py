"""Choosing the number of components: many mixtures in the passes of one."""

from __future__ import annotations

import math
import os
import warnings
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from inspect import signature
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from daskgmm.blas import one_blas_thread
from daskgmm.counting import counted
from daskgmm.em.checkpoint import Checkpoint
from daskgmm.em.events import Listener, together
from daskgmm.em.far_values import warn_of_unresolved
from daskgmm.em.fingerprint import PRIOR, plain_digest, prior_digest, rows_identity
from daskgmm.em.fit import check_enough
from daskgmm.em.history import log_event
from daskgmm.em.models import model_of
from daskgmm.em.objective import Objective
from daskgmm.em.selection.choosing import (
    Model,
    SweepState,
    choose,
    combinations,
    starts_of,
)
from daskgmm.em.selection.measuring import Measured
from daskgmm.em.selection.races import SweepRequest
from daskgmm.em.settings import Settings
from daskgmm.em.survey import Survey
from daskgmm.em.weighing import COUNTS, check_meaning
from daskgmm.errors import (
    ChoiceWarning,
    DegenerateComponentWarning,
    SettingError,
    WeightsWarning,
)
from daskgmm.gaussian.covariance.families import FAMILIES
from daskgmm.gaussian.covariance.structures import STRUCTURES, structure_name
from daskgmm.gaussian.floor import n_degenerate
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.prior import Prior
from daskgmm.models.choice import doubts, place_of_best
from daskgmm.models.costs import TrainingData, cache_nbytes, cut, plan_of
from daskgmm.models.criteria import Criteria, criteria_of_sweep, doubt
from daskgmm.models.degeneracy import reason_of
from daskgmm.models.equal_weights import check_prior_of_weights
from daskgmm.models.estimator import MixtureEstimator
from daskgmm.models.factors import check_factors, check_factors_of, name_with_factors, settings_of
from daskgmm.models.fitted_on import fitted_on
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.inputs import LABELS, check_enough_columns
from daskgmm.models.missing import check_missing_of_sweep
from daskgmm.models.predictions.in_memory import predict_values
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.names import ALL, CRITERIA, FAILED, FITTED, SAMPLE
from daskgmm.passes.dataset import Dataset
from daskgmm.plot import plot_criterion
from daskgmm.rows.labelled.grid_rows import GridRows
from daskgmm.rows.matching import FIND_LENGTHS
from daskgmm.rows.rows import Rows
from daskgmm.rows.sources import source_of
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions

SHARED_ATTRIBUTES = ("n_features_in_", "coordinates_", "fitted_on_", *LABELS)
"""Fitted attributes that all models of a sweep have in common."""


@dataclass(frozen=True, repr=False)
class Sweep:
    """Result of a sweep.

    Attributes
    ----------
    table : dict of lists
        One entry for each start of each size and structure, and its model; `pandas.DataFrame` takes
        it as it is. Columns: n_components, covariance_type, start (1, 2, ...: its place among the
        starts of its size and structure; 1 is the best one on the sample, or the one that went on
        instead because that ended with degenerate components), seed (of its start, or of the
        neighbour's from which it came by a component that was split or a pair that was merged),
        status ("fitted" on all rows, "sample": beaten there, so that it stayed, or "failed"),
        log_likelihood (mean, nats a row, of all rows), n_parameters, n (the rows that count: see
        `weights_are` of `GaussianMixture.fit`), aic, bic, icl (lower is better), heldout and
        heldout_se (mean log-likelihood of rows held out of the sample, and its standard error; nan
        for all starts of a size and structure but its best), passes, converged, degenerate (the
        number of components that have no rows, or rest on `reg_covar`, tied values or rounding),
        reason (why a model failed, or which of its components are degenerate, and in which column).
    models : list of MixtureEstimator or None
        In the order of the table, each fitted; those with status "sample" to the sample. None
        for those that failed.
    criterion : str
        What `best` goes by if not told.
    """

    table: dict[str, list[Any]]
    models: list[MixtureEstimator | None]
    criterion: str = "bic"

    def __repr__(self) -> str:
        sizes, kinds = (
            sorted(set(self.table[name])) for name in ("n_components", "covariance_type")
        )
        place = place_of_best(self.table, self.criterion)
        best, structure = (self.table[name][place] for name in ("n_components", "covariance_type"))
        return (
            f"Sweep({counted(len(self.models), 'model')} of {sizes[0]} to {sizes[-1]} components, "
            f"{', '.join(kinds)}; best by {self.criterion}: {best} {structure})"
        )

    def best(self, criterion: str | None = None) -> MixtureEstimator:
        """Return the best model that was fitted on all rows; it is not fitted again.

        A model with degenerate components is returned only if all have some.

        Parameters
        ----------
        criterion : {"bic", "aic", "icl", "heldout"}, optional
            By default that of the sweep.

        Warns
        -----
        ChoiceWarning
            If the best model is the largest or the smallest that was tried, with what the
            other criteria choose, if models with degenerate components are better by the
            criterion and were set aside, or if all models have some.
        """
        chosen = _checked(self.criterion if criterion is None else criterion)
        for message in doubts(self.table, chosen):
            warnings.warn(message, ChoiceWarning, stacklevel=2)
        return self._best(chosen)

    def _best(self, criterion: str) -> MixtureEstimator:
        found = self.models[place_of_best(self.table, criterion)]
        assert found is not None
        return found

    def plot(self, criterion: str | None = None, ax: Any = None) -> Any:
        """Draw a criterion against the number of components; return the Matplotlib axes.

        Raises
        ------
        ImportError
            If Matplotlib is missing: pip install 'daskgmm[plot]'.
        """
        chosen = _checked(self.criterion if criterion is None else criterion)
        return plot_criterion(self.table, chosen, ax)


def sweep(
    X: Any,
    n_components: Iterable[int] = range(1, 11),
    covariance_type: str | Sequence[str] | None = None,
    n_init: int = 3,
    criterion: str = "bic",
    sample_weight: Any = None,
    random_state: Any = None,
    checkpoint: str | os.PathLike[str] | None = None,
    *,
    n_factors: int | Iterable[int] | None = None,
    estimator: MixtureEstimator | None = None,
    weights_are: str | None = None,
    feature_dims: Sequence[Hashable] | None = None,
    groups: Any = None,
    tol: float = 1e-3,
    reg_covar: float = 1e-6,
    prior: str | Prior | None = None,
    equal_weights: bool = False,
    max_iter: int = 100,
    sample_rows: int | None = None,
    missing: str = "error",
    standardise: bool = False,
    pca: int | float | None = None,
    noise: bool = False,
    tails: str | None = None,
    cache: int | str | None = None,
    listen: Listener | None = None,
    storage_options: StorageOptions | None = None,
) -> Sweep:
    """Fit mixtures of several sizes and structures, reading the data as often as for one.

    All candidates start on a sample in memory. Of the starts of one size and structure the
    best goes on, unless that size and structure is clearly beaten there by BIC, and the best by
    no other criterion; the table names those that stay. The others advance together: each pass
    serves all that have not converged.

    Parameters
    ----------
    X, sample_weight, weights_are, feature_dims, checkpoint, cache, listen, storage_options : as in
        `GaussianMixture.fit`
    n_components : iterable of int
    covariance_type : str or sequence of str, optional
        Names as in `GaussianMixture`, or "all" of those without factors; by default that of the
        estimator, "full".
    n_factors : int or iterable of int, optional
        Numbers of factors that "ppca", "factor" and "mcfa" are tried with; in the table they are
        "ppca-1" and so on.
    n_init : int
        Starts of each, on the sample.
    criterion : {"bic", "aic", "icl", "heldout"}
        What `Sweep.best` goes by. Held-out likelihood is estimated by cross-validation on the
        sample, by blocks of consecutive rows or by `groups`: where neighbours are alike, the
        others always ask for more components.
    random_state : int, RandomState instance or None
        By default that of the estimator. Models have it as their own, so that a clone begins with
        it when it is fitted again; those of a RandomState have the seed of their start.
    estimator : MixtureEstimator, optional
        What is fitted: all models are copies of it, and `tol` to `tails` below are its own
        settings. By default a `GaussianMixture` of the settings below.
    groups : array of shape (n,), optional
        What belongs together, and is held out together: a station, a tile, a day.
    tol : float
        As in `GaussianMixture`. BIC takes log(n) / 2n nats a row for a parameter, 7e-6 for a
        million rows: where neighbouring sizes are nearly as good, what is left to gain may
        decide. 1e-4 is surer then, and took four times the passes.
    reg_covar, prior, equal_weights, max_iter, sample_rows, missing, standardise, pca, noise, \
    tails : as in `GaussianMixture`
        Room for outliers is that of all models: two sweeps compare it, by the criteria in their
        tables.

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError, OSError
        As `GaussianMixture.fit` does.

    Warns
    -----
    WeightsWarning
        If nothing was said of the weights, and they may be counts; or if they were said to be, and
        are no whole numbers.
    """
    _checked(criterion)
    check_meaning(weights_are)
    estimator = _estimator(
        estimator,
        tol=tol,
        reg_covar=reg_covar,
        prior=prior,
        equal_weights=equal_weights,
        max_iter=max_iter,
        sample_rows=sample_rows,
        missing=missing,
        standardise=standardise,
        pca=pca,
        noise=noise,
        tails=tails,
    )
    random_state = estimator.random_state if random_state is None else random_state
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=random_state)
    types = _types(covariance_type, n_factors, estimator)
    sizes = _sizes(n_components, "n_components")
    _set(estimator, {"n_components": max(sizes), **settings_of(types[0])})
    estimator._validate_params()
    check_missing_of_sweep(estimator, types, criterion)
    given = TrainingData(source_of(X, storage_options), sample_weight, weights_are, feature_dims)
    rows, beside = given.rows(estimator)
    check_enough(rows.n_rows, min(sizes))
    belongs = None if groups is None else Groups(groups, rows)
    chosen = estimator._settings()
    check_prior_of_weights(chosen, rows.n_features)
    if beside.weights is not None:
        chosen = chosen.weighed(weights_are)
    settings = combinations(sizes, types, chosen)
    request = _request(settings, n_init, random_state, belongs)
    request = replace(request, weights_are=None if beside.weights is None else weights_are)
    check_enough_columns(pca, rows.n_features)
    check_factors_of(settings, rows.n_features)
    for chosen in settings:
        chosen.check_prior(rows.n_features)
    as_one_fit = _all_at_once(settings, rows.n_features)
    # What M-steps round to would depend on whether a task has just ended.
    with one_blas_thread(), closing(cut(rows, beside, as_one_fit, cache_nbytes(cache))) as data:
        plan_of(data, as_one_fit, starts_of(settings, rows.n_features, rows.n_rows)).check()
        kept = saved = None
        if checkpoint is not None:
            saved = Checkpoint(Address.of(checkpoint, storage_options), SweepState)
            kept = saved.load(_identity(data, request, random_state))
        state, measured = choose(data, request, together(log_event, listen), saved, kept)
        return _found(data, state, measured, estimator, given, criterion)


def _found(
    data: Dataset,
    state: SweepState,
    measured: Measured,
    estimator: MixtureEstimator,
    given: TrainingData,
    criterion: str,
) -> Sweep:
    """Return the sweep, and warn of what the user should know."""
    said = None if data.weights is None else given.weights_are
    estimator._set_seen(state.coordinates, fitted_on(data, state.survey, given.source.x, said))
    estimator._warn_of_scale(state.survey.mapped(state.coordinates))
    doubtful = None if data.weights is None else doubt(state.survey.weighing, said)
    if doubtful is not None:
        warnings.warn(doubtful, WeightsWarning, stacklevel=3)
    table = _table(state, measured, said, estimator._axis_names())
    found = Sweep(table, _mixtures(state, estimator, table), criterion)
    best = found._best(criterion)
    fitted = best._parameters(), state.coordinates, state.survey
    warn_of_unresolved(*fitted, data.rows.columns, stacklevel=3)
    if not best.converged_:
        warnings.warn(
            f"The best model by {criterion} did not converge. Increase max_iter (--max-iter) or "
            "tol (--tol).",
            ConvergenceWarning,
            stacklevel=3,
        )
    return found


def _all_at_once(settings: Sequence[Settings], columns: int) -> Settings:
    """Return the settings of a single fit that costs what a pass for all of these does."""
    largest = max(settings, key=lambda each: each.n_statistics(columns))
    return replace(largest, n_components=sum(each.n_components for each in settings))


def _checked(criterion: str) -> str:
    if criterion not in CRITERIA:
        raise ValueError(f"criterion is {criterion!r}; give one of {', '.join(CRITERIA)}.")
    return criterion


def _estimator(given: MixtureEstimator | None, **settings: Any) -> MixtureEstimator:
    """Return a copy of the estimator that is given, or a `GaussianMixture` of these settings."""
    if given is None:
        return GaussianMixture(**settings)
    if not isinstance(given, MixtureEstimator):
        raise TypeError(
            f"estimator is {given!r}; give an estimator of daskgmm, such as GaussianMixture()."
        )
    if not hasattr(given, "bic"):
        raise TypeError(
            f"A {type(given).__name__} has no likelihood that criteria compare: fit one with as "
            "many components as there may be."
        )
    if "n_components" not in given.get_params():
        raise ValueError(
            f"{type(given).__name__} has no parameter n_components: nothing of it can be swept."
        )
    for name, value in settings.items():
        if value != signature(sweep).parameters[name].default:
            raise ValueError(
                f"{name}={value!r} is given beside an estimator: set it there, as in "
                f"{type(given).__name__}({name}={value!r})."
            )
    copy: MixtureEstimator = clone(given)
    return copy


def _types(
    covariance_type: str | Sequence[str] | None,
    n_factors: int | Iterable[int] | None,
    estimator: MixtureEstimator,
) -> tuple[str, ...]:
    """Return the structures to try, each once, those of factors for each number of them."""
    asked = estimator.covariance_type if covariance_type is None else covariance_type
    names = (asked,) if isinstance(asked, str) else tuple(asked)
    plain = [structure_name(name) for name in names if name not in FAMILIES]
    types = tuple(dict.fromkeys(STRUCTURES if ALL in names else plain))
    unknown = [name for name in types if name not in STRUCTURES]
    families = tuple(dict.fromkeys(name for name in names if name in FAMILIES))
    if unknown or not (types or families):
        raise SettingError(
            f"covariance_type is {unknown or types}; give some of "
            f"{', '.join([*STRUCTURES, *FAMILIES])}, or {ALL}."
        )
    given = estimator.n_factors if n_factors is None else n_factors
    if not families or given is None:
        check_factors((families or types)[0], given)
    else:
        factors = _sizes(given, "n_factors")
        types += tuple(name_with_factors(family, q) for family in families for q in factors)
    fixed = "covariance_type" not in estimator.get_params()
    if fixed and types != (estimator._structure_name,):
        raise SettingError(
            f"covariance_type is {asked!r}; that of {type(estimator).__name__} is always "
            f"{estimator.covariance_type!r}."
        )
    return types


def _sizes(numbers: int | Iterable[int], name: str) -> list[int]:
    given: Any = numbers
    sizes: list[Any] = [given] if isinstance(given, (int, np.integer)) else list(given)
    if not sizes or not all(isinstance(k, Integral) and int(k) >= 1 for k in sizes):
        raise SettingError(f"{name} is {numbers!r}; give integers of 1 and more.")
    return sorted({int(k) for k in sizes})


def _request(
    settings: tuple[Settings, ...], n_init: Any, random_state: Any, groups: Groups | None
) -> SweepRequest:
    if not isinstance(n_init, Integral) or n_init < 1:
        raise ValueError(f"n_init is {n_init!r}; give at least 1 start.")
    random = check_random_state(random_state)
    sample_seed, *seeds = random.randint(np.iinfo(np.int32).max, size=1 + n_init).tolist()
    return SweepRequest(settings, tuple(seeds), sample_seed, _log_densities, groups)


class Groups:
    """The groups of rows, looked up by their numbers; refused unless there is one for each row."""

    def __init__(self, groups: Any, rows: Rows) -> None:
        n_rows = rows.n_rows
        if isinstance(rows, GridRows) and rows.n_dims > 1:
            raise ValueError(
                f"groups go by row numbers, and the points of a grid of {rows.n_dims} dimensions "
                "come block by block. X of one sample dimension, or one that is loaded, comes in "
                "its own order."
            )
        if n_rows is None:
            raise ValueError(
                "groups need rows that are numbered, and some chunks of X have no known "
                f"length: {FIND_LENGTHS}."
            )
        self._groups = np.asarray(groups)
        if self._groups.shape != (n_rows,):
            raise ValueError(
                f"groups has shape {self._groups.shape} and X has {counted(n_rows, 'row')}; give "
                "one a row."
            )
        if len(np.unique(self._groups)) < 2:
            raise ValueError("groups has a single value: nothing would be left to fit to.")

    def __call__(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a number for the group of each of these rows."""
        numbers: NDArray[np.int64] = np.unique(self._groups[index], return_inverse=True)[1]
        return numbers

    @property
    def digest(self) -> str:
        """A digest of some of them."""
        some = np.linspace(0, len(self._groups) - 1, min(len(self._groups), 1000)).astype(int)
        return plain_digest(self._groups[some].tolist())


def _log_densities(parameters: Parameters, x: NDArray[Any]) -> NDArray[np.float64]:
    found = predict_values(Predictor(parameters), ("log_density",), np.asarray(x, np.float64), str)
    return np.asarray(found, np.float64)


def _identity(data: Dataset, request: SweepRequest, random_state: Any) -> dict[str, Any]:
    """Return what a checkpoint of a sweep must agree with: settings, and rows."""
    shared, groups = request.settings[0].identity, request.groups
    for name in ("structure", "init_params", "accelerated"):  # no choice of a sweep's user
        del shared[name]
    return {
        **shared,
        "n_components": request.sizes,
        "covariance_type": sorted({each.structure for each in request.settings}),
        "n_init": len(request.seeds),
        # Of the draws that do not depend on n_init, which is compared by itself.
        "random_state": None
        if random_state is None
        else plain_digest([request.sample_seed, request.seeds[0]]),
        "groups": groups.digest if isinstance(groups, Groups) else None,
        # What is said by default may be said as well.
        "weights_are": COUNTS if request.weights_are == COUNTS else None,
        **_prior_identity(request.settings, data.rows.n_features),
        **rows_identity(data),
    }


def _prior_identity(settings: Sequence[Settings], columns: int) -> dict[str, str]:
    if settings[0].prior is None:
        return {}
    return {PRIOR: plain_digest(sorted(str(prior_digest(each, columns)) for each in settings))}


def _mixtures(
    state: SweepState, estimator: MixtureEstimator, table: dict[str, list[Any]]
) -> list[MixtureEstimator | None]:
    """Return an estimator for each row of the table; None for what failed."""
    survey = state.survey.mapped(state.coordinates)
    fitted = [_mixture(model, estimator, survey) for model in state.models]
    for index, mixture in enumerate(fitted):
        mixture._criteria = criteria_of_sweep(table, index)
    return [*fitted, *[None] * len(state.failures)]


def _set(estimator: MixtureEstimator, settings: dict[str, Any]) -> None:
    """Set those of the settings that the estimator's constructor takes."""
    taken = settings.keys() & estimator.get_params().keys()
    estimator.set_params(**{name: settings[name] for name in taken})


def _mixture(model: Model, estimator: MixtureEstimator, survey: Survey) -> MixtureEstimator:
    settings = model.settings
    own: dict[str, Any] = {
        "n_components": settings.n_components,
        **settings_of(settings.structure),
    }
    if not isinstance(estimator.random_state, Integral | None):
        own["random_state"] = model.seed
    mixture: MixtureEstimator = clone(estimator)
    _set(mixture, own)
    for name in SHARED_ATTRIBUTES:
        if hasattr(estimator, name):
            setattr(mixture, name, getattr(estimator, name))
    with warnings.catch_warnings():
        # The table says so, model by model.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DegenerateComponentWarning)
        mixture._keep(model.fit, -math.inf, model_of(settings, survey))
    mixture._ended_with = Objective.of(settings, estimator.n_features_in_)
    return mixture


def _table(
    state: SweepState, measured: Measured, weights_are: str | None, names: Sequence[str]
) -> dict[str, list[Any]]:
    """Return the table: the models in their order, then what failed; `names` are of columns."""
    floor = state.survey.mapped(state.coordinates).floor(state.models[0].settings.reg_covar)
    n, d = state.survey.counted(weights_are), state.models[0].fit.step.parameters.n_features
    rows = []
    for index, model in enumerate(state.models):
        settings, step, held = model.settings, model.fit.step, model.held_out
        mean, entropy = (
            float(total[index]) / measured.weight
            for total in (measured.log_likelihoods, measured.entropies)
        )
        resting = floor.resting(step)
        rows.append(
            _row(settings, model.seed, n, d, mean, entropy)
            | {"status": FITTED if model.on_all_rows else SAMPLE}
            | ({} if held is None else {"heldout": held.mean, "heldout_se": held.error})
            | {"passes": model.passes, "converged": model.fit.converged}
            | {"degenerate": n_degenerate(step, resting), "reason": reason_of(step, resting, names)}
        )
    for failure in state.failures:
        row = _row(failure.settings, failure.seed, n, d)
        rows.append(row | {"status": FAILED, "reason": failure.reason})
    kinds = Counter[tuple[int, str]]()
    for row in rows:
        kind = row["n_components"], row["covariance_type"]
        kinds[kind] += 1
        row["start"] = kinds[kind]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _row(
    settings: Settings,
    seed: int,
    n: float,
    d: int,
    mean: float = math.nan,
    entropy: float = math.nan,
) -> dict[str, Any]:
    """Return a row of the table with what follows from a model's size and its likelihood."""
    p = settings.n_free(d)
    criteria = Criteria(mean, p, n, entropy)
    return {
        "n_components": settings.n_components,
        "covariance_type": settings.structure,
        "start": 0,
        "seed": seed,
        "status": "",
        "log_likelihood": mean,
        "n_parameters": p,
        "n": n,
        "aic": criteria.aic,
        "bic": criteria.bic,
        "icl": criteria.icl,
        "heldout": math.nan,
        "heldout_se": math.nan,
        "passes": 0,
        "converged": False,
        "degenerate": 0,
        "reason": "",
    }
