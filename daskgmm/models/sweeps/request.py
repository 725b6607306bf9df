"""Arguments of a sweep: structures, sizes and starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from daskgmm.em.checkpoints.fingerprint import (
    MAX_ITER,
    PRIOR,
    SEED,
    plain_digest,
    prior_digest,
    rows_identity,
)
from daskgmm.em.selection.holding_out import Groups
from daskgmm.em.selection.races import SweepRequest
from daskgmm.em.settings import Settings
from daskgmm.em.survey.weighing import COUNTS
from daskgmm.errors import SettingError
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.gaussian.covariance.structures import STRUCTURES, structure_name
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.predictions.noisy import NoisyPredictor
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.settings.factors import check_factors, name_with_factors
from daskgmm.names import ALL, FLOAT64
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.transform import IDENTITY, Transform

MARGINALISED = Transform(drop_missing=True, marginalise=True)


def structures_of(
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
        factors = numbers_of(given, "n_factors")
        types += tuple(name_with_factors(family, q) for family in families for q in factors)
    fixed = "covariance_type" not in estimator.get_params()
    if fixed and types != (estimator._structure_name,):
        raise SettingError(
            f"covariance_type is {asked!r}; that of {type(estimator).__name__} is always "
            f"{estimator.covariance_type!r}."
        )
    return types


def numbers_of(numbers: int | Iterable[int], name: str) -> list[int]:
    """Return positive integers in their order, each once."""
    given: Any = numbers
    sizes: list[Any] = [given] if isinstance(given, (int, np.integer)) else list(given)
    if not sizes or not all(isinstance(k, Integral) and int(k) >= 1 for k in sizes):
        raise SettingError(f"{name} is {numbers!r}; give integers of 1 and more.")
    return sorted({int(k) for k in sizes})


def all_at_once(settings: Sequence[Settings], columns: int) -> Settings:
    """Return the settings of a single fit that costs what a pass for all of these does."""
    largest = max(settings, key=lambda each: each.n_statistics(columns))
    return replace(largest, n_components=sum(each.n_components for each in settings))


def request_of(
    settings: tuple[Settings, ...], n_init: Any, random_state: Any, groups: Groups | None
) -> SweepRequest:
    """Return the request; `seeds` of its starts are drawn from the random state."""
    if not isinstance(n_init, Integral) or n_init < 1:
        raise ValueError(f"n_init is {n_init!r}; give at least 1 start.")
    random = check_random_state(random_state)
    before = deepcopy(random)
    sample_seed, *seeds = random.randint(np.iinfo(np.int32).max, size=1 + n_init).tolist()
    return SweepRequest(settings, tuple(seeds), sample_seed, before, log_densities, groups)


def log_densities(
    parameters: Parameters, x: NDArray[Any], labels: NDArray[np.intp] | None
) -> NDArray[np.float64]:
    """Return the log density of each row of x (m, d), (m,), of the values that it has.

    Rows may have noise behind them.

    Of a row with a label, but -1, it is the log joint density of that component.
    """
    transform = MARGINALISED if np.isnan(x).any() else IDENTITY
    predictor, d = Predictor(parameters, transform=transform), parameters.n_features
    if x[:, d:].any():
        predictor = NoisyPredictor(predictor, x.shape[1] - d)
    else:
        x = x[:, :d]
    return predictor.log_densities(np.asarray(x, np.float64), Place(str), labels)


def identity_of(data: Dataset, request: SweepRequest, random_state: Any) -> dict[str, Any]:
    """Return what a checkpoint of a sweep must agree with: settings, and rows."""
    shared, groups = request.settings[0].identity, request.groups
    # No choices of a sweep's user, and what nothing but its end depends on.
    unnamed = ["structure", "init_params", "accelerated"]
    unnamed += [MAX_ITER] * (request.settings[0].precision == FLOAT64)
    for name in unnamed:
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
        **({SEED: int(random_state)} if isinstance(random_state, Integral) else {}),
        "groups": None if groups is None else groups.digest,
        # What is said by default may be said as well.
        "weights_are": COUNTS if request.weights_are == COUNTS else None,
        **_prior_identity(request.settings, data.rows.n_features),
        **rows_identity(data),
    }


def _prior_identity(settings: Sequence[Settings], columns: int) -> dict[str, str]:
    if settings[0].prior is None:
        return {}
    return {PRIOR: plain_digest(sorted(str(prior_digest(each, columns)) for each in settings))}
