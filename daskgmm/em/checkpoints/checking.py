"""Checks of what a checkpoint keeps, before a fit goes on from it.

A checksum finds accidents. A state that was written so is refused here if no fit could have kept
it: further on it would be an error that names no file, or a number.
"""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any, get_args

import numpy as np

from daskgmm.em.acceleration.search import Kind, Search
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.settings import Settings
from daskgmm.em.survey.survey import Survey
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.variational_posterior import VariationalPosterior
from daskgmm.gaussian.truncation.cells import Cells
from daskgmm.gaussian.validity import check_array, check_parameters
from daskgmm.rows.rows import Rows

SLACK = 1e-6
"""By how much, relatively, rounding of sums over rows may differ: far more than it does."""


def check_survey(survey: Survey, coordinates: Coordinates | None, rows: Rows) -> None:
    """Raise `ValueError` unless a survey, and coordinates after it, may be of these rows."""
    d, n = rows.n_features, rows.n_rows
    if n is not None and survey.rows + survey.missing != n:
        raise ValueError(f"its survey is of {survey.rows + survey.missing:,} rows, not {n:,}")
    for name in ("origin", "shift", "minimum", "maximum"):
        check_array(getattr(survey, name), name, (d,))
    check_array(survey.scatter, "scatter", (d, d))
    if survey.rounding is not None:
        check_array(survey.rounding, "rounding", (d, d))
    if survey.probe is not None:
        check_array(survey.probe, "probe", (None, d), finite=False)
    if survey.observed is not None:
        check_array(survey.observed.reference, "reference", (d,))
        for name in ("weights", "first", "second"):
            check_array(getattr(survey.observed, name), name, (d, d))
    if survey.noise is not None:
        e = (d if survey.noise.mean.shape == (d,) else d * d,)
        for name in ("mean", "minimum", "maximum"):
            check_array(getattr(survey.noise, name), name, e)
        _check_counts(survey.noise, "weight")
    if survey.weighing is not None:
        _check_counts(survey.weighing, "rows", "total", "heaviest", "squares")
    _check_counts(survey, "rows", "weighed_rows", "weight", "missing")
    _check(survey.weighed_rows <= survey.rows, "more rows count than there are")
    _check_moments(survey)
    _check_coordinates(coordinates, d)


def _check_moments(survey: Survey) -> None:
    """Raise `ValueError` unless weights, ranges, means and variances may be those of some rows."""
    weighing, variances = survey.weighing, np.diagonal(survey.scatter)
    _check(bool((survey.minimum <= survey.maximum).all()), "a minimum is above its maximum")
    _check(bool((variances >= 0).all()), "a variance of the rows is below 0")
    if not survey.weighed_rows:
        return
    _check(survey.weight > 0, "its rows have no weight")
    if weighing is not None:
        same = weighing.rows == survey.weighed_rows
        same &= math.isclose(weighing.total, survey.weight, rel_tol=SLACK)
        _check(same, "its rows have two weights")
    with np.errstate(over="ignore"):
        width, mean = survey.maximum - survey.minimum, survey.mean
        slack = SLACK * (width + np.abs(mean))
        inside = (mean >= survey.minimum - slack) & (mean <= survey.maximum + slack)
        _check(bool(inside.all()), "a mean of the rows is out of their range")
        # Popoviciu's inequality.
        wide = variances / survey.weight <= (width / 2 + slack) ** 2
        _check(bool(wide.all()), "a variance of the rows is more than their range allows")


def _check_coordinates(coordinates: Coordinates | None, d: int) -> None:
    if coordinates is None:
        return
    check_array(coordinates.origin, "origin", (d,))
    check_array(coordinates.scales, "scales", (d,))
    _check(bool((coordinates.scales > 0).all()), "'scales' are not all positive")
    if coordinates.axes is not None:
        check_array(coordinates.axes, "axes", (d, None))
        _check(0 < coordinates.n_features <= d, "'axes' are more than columns, or none")
    r = coordinates.n_features
    for name in ("explained", "variances"):
        if (value := getattr(coordinates, name)) is not None:
            check_array(value, name, (r,), finite=False)


def check_fit(fit: Fit, settings: Settings, coordinates: Coordinates | None, d: int) -> None:
    """Raise `ValueError` unless a fit of these settings to d columns can have come so far."""
    k, r = settings.n_components, d if coordinates is None else coordinates.n_features
    for parameters in _all_in(fit):
        _check(
            parameters.structure == settings.structure,
            f"it has {parameters.structure[:60]!r} covariances, and the fit "
            f"{settings.structure!r} ones",
        )
        check_parameters(parameters, k, r)
        if isinstance(parameters, VariationalPosterior):
            check_array(parameters.counts, "counts", (k,))
            _check(bool((parameters.counts >= 0).all()), "'counts' are below 0")
        elif parameters.log_weights is not None:
            raise ValueError("it has weights of a posterior, but is not one")
    if fit.step.shares is not None:
        check_array(fit.step.shares, "shares", (k,))
    numbers = [each.iteration for each in fit.iterations]
    _check(numbers == list(range(1, len(numbers) + 1)), "its iterations are not numbered")
    bounds = [each.lower_bound for each in fit.iterations]
    _check(all(bound < math.inf for bound in bounds), "a lower bound is not a number")
    _check(bool(bounds) or not fit.converged, "it converged without an iteration")
    if fit.search is not None:
        _check_search(fit.search, k)
    _check_cells(fit.cells, settings, r)


def _check_cells(cells: Cells | None, settings: Settings, d: int) -> None:
    """Raise `ValueError` unless a fit of these settings to d features can have such cells."""
    _check(
        (cells is None) == (settings.n_candidates is None), "it has cells, or none, unlike the fit"
    )
    if cells is None:
        return
    check_array(cells.origin, "origin", (d,))
    check_array(cells.scales, "scales", (d,))
    anchors, first = cells.anchors, cells.anchors.first
    check_array(anchors.centers, "centers", (None, d))
    check_array(anchors.points, "points", (None, d))
    ends = first.dtype == np.int64 and first.shape == (len(anchors.centers) + 1,)
    ends = ends and first[0] == 0 and first[-1] == len(anchors)
    _check(ends and bool((np.diff(first) > 0).all()), "'first' are not those of its regions")
    _check(bool((cells.scales > 0).all()), "'scales' are not all positive")
    candidates, k = cells.candidates, settings.n_components
    shape = len(anchors), settings.n_candidates
    is_of_type = candidates.dtype == np.int64 and candidates.shape == shape
    _check(is_of_type and len(anchors) > 0, "'candidates' are not those of its anchors")
    ascends = bool((np.diff(candidates, axis=1) > 0).all())
    inside = bool((candidates >= 0).all() and (candidates < k).all())
    _check(ascends and inside, "'candidates' are no components")


def _check_search(search: Search, k: int) -> None:
    _check(search.kind in get_args(Kind), f"its search is {str(search.kind)[:60]!r}")
    _check((search.image is None) == (not search.points), "its search has points or an image alone")
    _check_counts(search, "longest", "radius", "length", "passes", "calm")
    _check(search.radius > 0 and search.longest > 0, "its search makes no step")
    for name in ("expected", "before", "gap"):
        _check(not math.isnan(getattr(search, name)), f"{name!r} of its search is not a number")
    for point in (*search.points, *([] if search.begun is None else [search.begun])):
        check_array(point.shares, "shares", (3, k))
        _check(math.isfinite(point.objective), "the objective of a point is not a number")


def _all_in(value: Any) -> list[Parameters]:
    """Return all parameters in a record, at any depth."""
    if isinstance(value, Parameters):
        return [value]
    if isinstance(value, tuple):
        return [found for each in value for found in _all_in(each)]
    if is_dataclass(value):
        return [found for field in fields(value) for found in _all_in(getattr(value, field.name))]
    return []


def _check_counts(record: Any, *names: str) -> None:
    for name in names:
        found = getattr(record, name)
        _check(0 <= found < math.inf, f"{name!r} is {found}")


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
