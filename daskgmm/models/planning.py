"""The cost of a fit, before it."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sklearn.base import clone

from daskgmm.companions import Companions
from daskgmm.em.checkpoints.checkpoint import Checkpoint, State
from daskgmm.em.survey.labelling import Labelling
from daskgmm.em.survey.with_sample import check_enough
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.inputs.costs import cache_nbytes, cut, plan_of
from daskgmm.models.inputs.known_noise import apart, check_known_noise, planned_noise
from daskgmm.models.inputs.labels import check_no_texts
from daskgmm.models.inputs.rows import check_enough_columns, check_names_are_seen, labelled_data
from daskgmm.models.settings.equal_weights import check_prior_of_weights
from daskgmm.models.settings.factors import check_factors_of
from daskgmm.models.settings.precision import check_precision
from daskgmm.models.settings.truncation import check_truncation
from daskgmm.passes.plan import Plan
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.checks.whereabouts import naming
from daskgmm.rows.companions.of_columns import named_by
from daskgmm.rows.companions.weights import split_companions
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.sources import source_of
from daskgmm.storage.address import Address
from daskgmm.storage.masking import StorageOptions


def plan(
    X: Any,
    n_components: int = 1,
    *,
    estimator: MixtureEstimator | None = None,
    sample_weight: Any = None,
    noise_variance: Any = None,
    labels: Any = None,
    feature_dims: Sequence[Hashable] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    cache: int | str | None = None,
    storage_options: StorageOptions | None = None,
    **settings: Any,
) -> Plan:
    """Say what a fit will cost: bytes, batches, passes, memory; no row is read.

    Where it would run is looked up as `GaussianMixture.fit` does it: on the current
    `distributed.Client` if there is one and the rows can go there, else on threads.

    Parameters
    ----------
    X, sample_weight, labels, noise_variance, feature_dims, cache, storage_options : as in `fit`
        Of a `GaussianMixture`; with a known number of rows, n.
    checkpoint : path or URL, optional
        As in `fit`: memory is needed to write it, and a place that cannot be written, or a file
        there that is not the checkpoint of a fit, is refused.
    n_components, **settings : as in `GaussianMixture`
        Those that the cost depends on are covariance_type, n_factors, max_iter, n_init,
        acceleration, sample_rows, missing, standardise, pca, noise, tails and n_candidates; and
        what a fit refuses before it reads is refused, as of precision.
    estimator : MixtureEstimator, optional
        What is to be fitted, such as a `BayesianGaussianMixture`; it has these settings then.

    Returns
    -------
    Plan
        Print it, or look at its attributes.

    Raises
    ------
    ValueError, OSError
        As `GaussianMixture.fit` before it reads.
    TypeError
        If there is no such setting.

    Examples
    --------
    >>> import numpy as np
    >>> from daskgmm import plan
    >>> found = plan(np.zeros((1_000_000, 4)), n_components=8)
    >>> found.rows, found.pass_nbytes
    (1000000, 32000000)
    """
    estimator = _estimator(estimator, n_components, settings)
    estimator._validate_params()
    chosen = estimator._settings()
    source = source_of(X, storage_options)
    given = Companions(sample_weight, labels, noise_variance)
    with named_by(given):
        rows, beside = _rows_beside(estimator, source, given, feature_dims)
    with naming(rows.source):
        check_enough(rows.n_rows, chosen.n_components)
    check_enough_columns(chosen.pca, rows.n_features)
    check_factors_of([chosen], rows.n_features)
    chosen.check_prior(rows.n_features)
    check_prior_of_weights(chosen, rows.n_features)
    if beside.labels is not None:
        every = tuple(range(chosen.n_components))
        chosen = replace(chosen, labelling=Labelling(every, (0, *every)))
    check_precision([chosen], noisy=beside.noise is not None)
    check_truncation(estimator, chosen, noisy=beside.noise is not None)
    if checkpoint is not None:
        Checkpoint(Address.of(checkpoint, storage_options), State).check_kind()
    data = cut(rows, beside, chosen, cache_nbytes(cache))
    starts = estimator._request(chosen, rows.n_features).starts(rows.n_features, rows.n_rows)
    return plan_of(data, chosen, starts, kept=checkpoint is not None)


def _estimator(
    given: MixtureEstimator | None, n_components: int, settings: Mapping[str, Any]
) -> MixtureEstimator:
    """Return a copy of the estimator that is given, or a `GaussianMixture` of these settings."""
    if given is None:
        unknown = sorted(settings.keys() - GaussianMixture._get_param_names())
        if unknown:
            raise TypeError(
                f"plan has no argument {unknown[0]!r}: it takes settings of a GaussianMixture. "
                "Give another estimator as plan(X, estimator=BayesianGaussianMixture(5))."
            )
        return GaussianMixture(n_components, **settings)
    if not isinstance(given, MixtureEstimator):
        raise TypeError(
            f"estimator is {given!r}; give an estimator of daskgmm, such as GaussianMixture()."
        )
    beside = [*(["n_components"] if n_components != 1 else []), *settings]
    if beside:
        raise ValueError(
            f"{', '.join(beside)} cannot be given beside an estimator: set it there, as in "
            f"{type(given).__name__}({beside[0]}=...)."
        )
    copy: MixtureEstimator = clone(given)
    return copy


def _rows_beside(
    estimator: MixtureEstimator,
    source: Source,
    given: Companions[Any],
    feature_dims: Sequence[Hashable] | None,
) -> tuple[Rows, Companions[Rows]]:
    source, variances = apart(source, given.noise)
    check_no_texts(source, given.labels)
    rows, beside = _rows(source, replace(given, noise=None), feature_dims)
    if variances is None:
        return rows, beside
    check_known_noise(estimator)
    rows, noise = planned_noise(source, rows, variances, feature_dims)
    return rows, replace(beside, noise=noise)


def _rows(
    source: Source, given: Companions[Any], feature_dims: Sequence[Hashable] | None
) -> tuple[Rows, Companions[Rows]]:
    if source.labelled:
        return labelled_data(source, given, feature_dims)[1:]
    if source.validated:
        source.values()
        check_names_are_seen(source.x)
        rows: Rows = ArrayRows(source.x, columns=source.names or None)
    else:
        rows = source.checked_rows()
    return split_companions(rows, given, source)
