"""What a fit begins with: parameters that are given, and where a warm start continues."""

from __future__ import annotations

import math
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from daskgmm.em.acceleration.search import Search
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.objective import Objective
from daskgmm.em.request import Request, Resume
from daskgmm.em.settings import Settings
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.models.inputs.labels import check_room
from daskgmm.models.settings.initial import check_initial
from daskgmm.models.settings.outliers import check_same_outliers
from daskgmm.models.settings.truncation import left_out_of
from daskgmm.names import FLOAT64


def request_of(mixture: Any, settings: Settings, columns: int) -> Request:
    """Return what the fit of a mixture to so many columns begins with."""
    structure = STRUCTURES[mixture._structure_name]
    _check_precisions_init(mixture)
    weights, given = mixture.weights_init, (mixture.means_init, mixture.precisions_init)
    if mixture.equal_weights and not all(part is None for part in given):
        weights = np.full(mixture.n_components, 1.0 / mixture.n_components)
    initial = check_initial(structure, mixture.n_components, columns, weights, *given)
    check_room(initial.weights, settings.labelling)
    resume = _resume(mixture, settings, columns)
    if resume is not None:
        # Objectives of passes in float32 are told lower, and this one is known.
        settings = replace(settings, precision=FLOAT64)
    random, seeded = check_random_state(mixture.random_state), mixture.random_state is not None
    seed = int(given) if isinstance(given := mixture.random_state, Integral) else None
    return Request(settings, initial, random, seeded, resume, seed=seed)


def _resume(mixture: Any, settings: Settings, columns: int) -> Resume | None:
    """Return where a warm start continues; None for a fit from the beginning."""
    if not (mixture.warm_start and hasattr(mixture, "converged_")):
        return None
    _check_resumable(mixture, settings.n_features(columns))
    # What was set by hand is a likelihood, as in scikit-learn.
    ended = mixture._ended_with or Objective(settings.noise)
    # The bound of a mixture that was adapted, or comes from scikit-learn, may be unknown.
    known = not math.isnan(mixture.lower_bound_)
    # Nor are the labels of the rows kept, so that others would not be known.
    known = known and settings.labelling is None
    # Nor are cells: those of this fit leave out something else.
    known = known and settings.n_candidates is None
    same = known and ended == Objective.of(settings, columns)
    # Points of a fit with candidates have a bound, and the likelihood is higher.
    of_likelihood = same and left_out_of(mixture) is None
    parameters = mixture._parameters()
    if mixture.equal_weights:
        parameters = parameters.with_equal_weights()
    return Resume(
        parameters,
        lower_bound=mixture.lower_bound_ if same else -math.inf,
        search=search_to_go_on(mixture) if of_likelihood else None,
        coordinates=mixture._coordinates(),
        facts=getattr(mixture, "fitted_on_", None) or None,
        scatter=getattr(mixture, "_scatter", None),
    )


def _check_precisions_init(mixture: Any) -> None:
    if mixture.precisions_init is not None and (mixture.standardise or mixture.pca is not None):
        raise ValueError(
            "precisions_init cannot be given with standardise or pca, as coordinates are known "
            "after the first pass only. Give weights_init and means_init, or preprocess the "
            "rows yourself."
        )


def search_to_go_on(mixture: Any) -> Search | None:
    """Return what acceleration knew at the end of the last fit, unless it was of another."""
    ended: Fit | None = getattr(mixture, "_ended", None)
    if mixture.acceleration is None or ended is None:
        return None
    parameters = ended.step.parameters
    same = mixture.means_ is parameters.means and mixture.weights_ is parameters.weights
    factors = mixture._parameters().precisions_cholesky
    same = same and np.array_equal(factors, parameters.precisions_cholesky)
    return ended.search if same else None


def _check_resumable(mixture: Any, d: int) -> None:
    asked = (bool(mixture.standardise), mixture.pca)
    plain = (mixture._coordinates() is None) == (asked == (False, None))
    if not plain or getattr(mixture, "_fitted_in", asked) != asked:
        raise ValueError(
            "With warm_start=True the fit continues from the last one, in its coordinates, and "
            "standardise or pca were changed since. Set warm_start=False to begin anew."
        )
    check_same_outliers(mixture)
    k, structure = mixture.n_components, STRUCTURES[mixture._structure_name]
    found = mixture.means_.shape, np.shape(mixture.covariances_)
    wanted = (k, d), structure.external_shape(k, d)
    if found != wanted or (getattr(mixture, "_fitted_structure", structure.name) != structure.name):
        raise ValueError(
            "With warm_start=True the fit continues from the last one, which had means and "
            f"covariances of shapes {found}; the settings and X ask for {wanted}. Set "
            "warm_start=False to begin anew."
        )
