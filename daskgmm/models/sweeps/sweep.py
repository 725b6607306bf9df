"""Choice of the number of components: many mixtures in the passes of one."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any

from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from daskgmm.blas import one_blas_thread
from daskgmm.companions import Companions
from daskgmm.counting import counted
from daskgmm.em.checkpoints.checkpoint import Checkpoint
from daskgmm.em.events import Listener, together
from daskgmm.em.history import log_event
from daskgmm.em.selection.choosing import check_kept, choose, combinations, starts_of
from daskgmm.em.selection.measuring import Measured
from daskgmm.em.selection.state import SweepState
from daskgmm.em.settings import Settings
from daskgmm.em.survey.far_values import warn_of_unresolved
from daskgmm.em.survey.weighing import check_meaning
from daskgmm.em.survey.with_sample import check_enough
from daskgmm.errors import WeightsWarning
from daskgmm.gaussian.priors.prior import Prior
from daskgmm.live.showing import asked, showing
from daskgmm.models.facts.criteria import doubt
from daskgmm.models.facts.fitted_on import fitted_on
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.inputs.costs import Running, TrainingData, cache_nbytes, cut, plan_of
from daskgmm.models.inputs.known_noise import check_known_noise_of_sweep
from daskgmm.models.inputs.labels import with_labels_of_sizes
from daskgmm.models.inputs.rows import check_enough_columns
from daskgmm.models.settings.equal_weights import check_prior_of_weights
from daskgmm.models.settings.factors import check_factors_of, settings_of
from daskgmm.models.settings.missing import check_missing_of_sweep
from daskgmm.models.settings.precision import check_precision
from daskgmm.models.sweeps.groups import groups_given, groups_of
from daskgmm.models.sweeps.members import mixtures_of, set_those_taken
from daskgmm.models.sweeps.request import (
    all_at_once,
    identity_of,
    numbers_of,
    request_of,
    structures_of,
)
from daskgmm.models.sweeps.result import Sweep, checked
from daskgmm.models.sweeps.table import table_of
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.checks.whereabouts import naming
from daskgmm.rows.rows import Rows
from daskgmm.rows.sources import source_of
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions
from daskgmm.user_warnings import warn_user

OF_MIXTURES = (
    "tol", "reg_covar", "prior", "equal_weights", "precision", "max_iter", "sample_rows",
    "missing", "standardise", "pca", "noise", "tails",
)  # fmt: skip
"""Settings of the mixtures of a sweep, which an estimator that is given has itself."""


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
    labels: Any = None,
    weights_are: str | None = None,
    noise_variance: Any = None,
    feature_dims: Sequence[Hashable] | None = None,
    groups: Any = None,
    tol: float = 1e-3,
    reg_covar: float = 1e-6,
    prior: str | Prior | None = None,
    equal_weights: bool = False,
    precision: str = "float64",
    max_iter: int = 100,
    sample_rows: int | None = None,
    missing: str = "error",
    standardise: bool = False,
    pca: int | float | None = None,
    noise: bool = False,
    tails: str | None = None,
    cache: int | str | None = None,
    listen: Listener | None = None,
    progress: bool | None = None,
    storage_options: StorageOptions | None = None,
) -> Sweep:
    """Fit mixtures of several sizes and structures, reading the data as often as for one.

    All candidates start on a sample in memory. Of the starts of one size and structure the
    best goes on, unless that size and structure is clearly beaten there by BIC, and the best by
    no other criterion; the table names those that are. The others advance together: each pass
    serves all that have not converged, and beaten ones too where that is cheap.

    Parameters
    ----------
    X, sample_weight, weights_are, noise_variance, feature_dims : as in `GaussianMixture.fit`
    checkpoint, cache, listen, progress, storage_options : as in `GaussianMixture.fit`
    labels : as in `GaussianMixture.fit`, optional
        Labels name components of all sizes, so that the smallest has as many; those of
        larger ones that no label names are for rows of unknown class alone. Likelihoods in the
        table are with the labels.
    n_components : iterable of int
        The numbers of components, k, by default 1 to 10.
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
        others always ask for more components. While it runs, a sweep shows the lowest BIC
        whatever this is: passes tell neither ICL nor held-out likelihood.
    random_state : int, RandomState instance or None
        By default that of the estimator. Models have it as their own, so that a clone begins with
        it when it is fitted again; those of a RandomState have the seed of their start.
    estimator : MixtureEstimator, optional
        What is fitted: all models are copies of it, and `tol` to `tails` below are its own
        settings. By default a `GaussianMixture` of the settings below.
    groups : array of shape (n,), str or path, optional
        What belongs together, and is held out together: a station, a tile, a day. Numbers, texts or
        categories; or the name of a column or variable of X, or what is stored or lazy, of which
        one pass reads the rows of the sample.
    tol : float
        As in `GaussianMixture`. BIC takes log(n) / 2n nats per row for a parameter, 7e-6 for a
        million rows: where neighbouring sizes are nearly as good, what is left to gain may
        decide. 1e-4 is surer then, and took four times the passes.
    reg_covar, prior, equal_weights, precision, max_iter, sample_rows : as in `GaussianMixture`
    missing, standardise, pca : as in `GaussianMixture`
    noise, tails : as in `GaussianMixture`
        Room for outliers is that of all models: two sweeps compare it, by the criteria in their
        tables.

    Returns
    -------
    Sweep
        With a table of all starts, their models, and `best`.

    Raises
    ------
    ValueError, OSError
        As `GaussianMixture.fit` does.

    Warns
    -----
    WeightsWarning
        If nothing was said of the weights, and they may be counts; or if they were said to be, and
        are no whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import sweep
    >>> X = np.random.default_rng(0).normal([[0.0]] * 500 + [[9.0]] * 500)
    >>> sweep(X, range(1, 4), ["full", "tied"], random_state=0)
    Sweep(18 models of 1 to 3 components, full, tied; best by bic: 2 tied)
    """
    given = locals()
    checked(criterion)
    check_meaning(weights_are)
    shown = asked(progress)
    estimator = _copied(estimator, {name: given[name] for name in OF_MIXTURES})
    if random_state is None:
        random_state = estimator.random_state
    types, sizes = _set_up(estimator, given | {"random_state": random_state})
    beside_x = sample_weight, weights_are, feature_dims, labels, None, noise_variance
    source, in_memory, beside = groups_given(source_of(X, storage_options), groups)
    training = TrainingData(source, *beside_x, beside)
    saved = None if checkpoint is None else Address.of(checkpoint, storage_options)
    running = Running(saved, cache, listen, shown)
    starts = n_init, random_state, in_memory
    return _swept(estimator, training, (types, sizes), starts, running, criterion)


def _set_up(
    estimator: MixtureEstimator, given: Mapping[str, Any]
) -> tuple[tuple[str, ...], list[int]]:
    """Give the estimator what all candidates have, and check its settings.

    Returns
    -------
    types, sizes : tuple of str, list of int
        Structures and numbers of components of the candidates.
    """
    types = structures_of(given["covariance_type"], given["n_factors"], estimator)
    sizes = numbers_of(given["n_components"], "n_components")
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=given["random_state"])
    set_those_taken(estimator, {"n_components": max(sizes), **settings_of(types[0])})
    estimator._validate_params()
    check_missing_of_sweep(estimator, types)
    if given["noise_variance"] is not None:
        check_known_noise_of_sweep(types)
    return types, sizes


def _swept(
    estimator: MixtureEstimator,
    given: TrainingData,
    candidates: tuple[Sequence[str], Sequence[int]],
    starts: tuple[int, Any, Any],
    running: Running,
    criterion: str,
) -> Sweep:
    """Run a sweep of structures and sizes; starts are their number, seed and groups in memory."""
    (types, sizes), (n_init, random_state, groups) = candidates, starts
    rows, beside = given.rows(estimator)
    with naming(rows.source):
        check_enough(rows.n_rows, min(sizes))
    belongs = groups_of(rows, groups, beside)
    beside = replace(beside, groups=None)
    said = None if beside.weights is None else given.weights_are
    beside, settings = _candidates(estimator, rows, beside, sizes, types, said)
    check_precision(settings, noisy=beside.noise is not None)
    request = replace(request_of(settings, n_init, random_state, belongs), weights_are=said)
    as_one_fit = all_at_once(settings, rows.n_features)
    cache = cache_nbytes(running.cache)
    # What M-steps round to would depend on whether a task has just ended.
    with one_blas_thread(), closing(cut(rows, beside, as_one_fit, cache)) as data:
        places = starts_of(settings, rows.n_features, rows.n_rows)
        keeps = running.checkpoint is not None
        plan_of(data, as_one_fit, places, settings, kept=keeps).check()
        kept = saved = None
        if running.checkpoint is not None:
            saved = Checkpoint(running.checkpoint, SweepState)
            identity = identity_of(data, request, random_state)
            kept = saved.load(identity, partial(check_kept, data, request))
        with showing(running.shown, f"Sweep of {counted(len(settings), 'candidate')}") as display:
            told = together(log_event, display, running.listen)
            state, measured = choose(data, request, told, saved, kept)
        return _found(data, state, measured, estimator, given, criterion)


def _candidates(
    estimator: MixtureEstimator,
    rows: Rows,
    beside: Companions[Rows],
    sizes: Sequence[int],
    types: Sequence[str],
    weights_are: str | None,
) -> tuple[Companions[Rows], tuple[Settings, ...]]:
    """Return what goes beside rows, and the settings of all candidates, checked for these rows."""
    own = estimator._settings()
    check_prior_of_weights(own, rows.n_features)
    if beside.weights is not None:
        own = own.weighed(weights_are)
    beside, settings = with_labels_of_sizes(beside, combinations(sizes, types, own))
    check_enough_columns(own.pca, rows.n_features)
    check_factors_of(settings, rows.n_features)
    for candidate in settings:
        candidate.check_prior(rows.n_features)
    return beside, settings


def _copied(given: MixtureEstimator | None, settings: Mapping[str, Any]) -> MixtureEstimator:
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
    facts = fitted_on(data, state.survey, given.source.x, said)
    labelling = state.models[0].settings.labelling
    if labelling is not None:
        facts["labelled_rows"] = labelling.known
    estimator._set_seen(state.coordinates, facts)
    estimator._warn_of_scale(state.survey.mapped(state.coordinates))
    doubtful = None if data.weights is None else doubt(state.survey.weighing, said)
    if doubtful is not None:
        warn_user(doubtful, WeightsWarning)
    table = table_of(state, measured, said, estimator._axis_names())
    found = Sweep(table, mixtures_of(state, estimator, table), criterion)
    best = found._best(criterion)
    fitted = best._parameters(), state.coordinates, state.survey
    warn_of_unresolved(*fitted, data.rows.columns)
    if not best.converged_:
        warn_user(
            f"The best model by {criterion} did not converge. Increase max_iter (--max-iter) or "
            "tol (--tol).",
            ConvergenceWarning,
        )
    return found
