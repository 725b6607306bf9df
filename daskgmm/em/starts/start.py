"""The first parameters, from a sample of the rows in memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import kmeans_plusplus
from sklearn.metrics import pairwise_distances_argmin

from daskgmm.arrays import Array
from daskgmm.em.k_means import Labels, squarable
from daskgmm.em.models.choice import model_of
from daskgmm.em.models.model import MixtureModel
from daskgmm.em.models.robust_model import FIRST_SHARE, RobustModel
from daskgmm.em.settings import Settings
from daskgmm.em.starts.clustering import Metric, cluster
from daskgmm.em.starts.labelled import labelled_clusters
from daskgmm.em.starts.trimming import trimmed
from daskgmm.em.survey.sample import Sample
from daskgmm.em.survey.survey import Survey
from daskgmm.gaussian.components.projection import projected
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.kernel import Sums
from daskgmm.gaussian.kernels.whitened import accumulate_about
from daskgmm.gaussian.m_step import (
    ILL_DEFINED,
    IllDefinedError,
    Maximised,
    estimate,
    maximise,
)
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters

TILE_ROWS = 2048

PROJECTED_STEPS = 4
"""Steps of a start whose moments are projected."""

Responsibilities = Callable[[], Iterator[Array]]
"""Gives the responsibilities (k, b) of the sample's tiles, the same at every call."""


@dataclass(frozen=True, slots=True)
class Initial:
    """Parameters that the user gave to start from, each or None, shaped as in `Parameters`."""

    weights: Array | None = None
    means: Array | None = None
    precisions: Array | None = None

    def mapped(self, coordinates: Coordinates | None) -> Initial:
        """Return the same in coordinates of the model; means were given as points of the data."""
        if coordinates is None or self.means is None:
            return self
        return replace(self, means=coordinates.apply(self.means))

    @property
    def empty(self) -> bool:
        """Whether nothing was given."""
        return all(part is None for part in (self.weights, self.means, self.precisions))

    @property
    def complete(self) -> bool:
        """Whether nothing is left to estimate."""
        return not any(part is None for part in (self.weights, self.means, self.precisions))


def start(
    survey: Survey,
    settings: Settings,
    initial: Initial,
    random: np.random.RandomState,
    metric: Metric | None = None,
) -> Maximised:
    """Return the parameters that EM begins with.

    The generator advances as scikit-learn advances it: where the sample is the whole data set, the
    start is scikit-learn's. Without a metric k-means and k-means++ measure as the columns are.
    With room for outliers rows that are far from all others are left out of the start.
    """
    if settings.outliers is None:
        return _gaussians(survey, settings, initial, random, metric)
    share, model = FIRST_SHARE, RobustModel.of(settings, survey)
    if survey.sample is not None and not initial.complete:
        sample, share = trimmed(survey.sample, settings.n_components)
        survey = replace(survey, sample=sample)
    return model.with_outliers(_gaussians(survey, settings, initial, random, metric), share)


def _gaussians(
    survey: Survey,
    settings: Settings,
    initial: Initial,
    random: np.random.RandomState,
    metric: Metric | None,
) -> Maximised:
    """Return the components that EM begins with."""
    if initial.complete:
        assert initial.weights is not None
        assert initial.means is not None
        return Maximised(_given(settings.structure, initial.weights, initial.means, initial))
    assert survey.sample is not None
    estimated = _estimate(survey, survey.sample, settings, random, metric)
    parameters = estimated.parameters
    weights = parameters.weights if initial.weights is None else initial.weights
    means = parameters.means if initial.means is None else initial.means
    if initial.precisions is None:
        covariances = parameters.covariances
        means = STRUCTURES[settings.structure].placed(means, weights, covariances)
        given = replace(parameters, weights=weights, means=means)
    else:
        given = _given(settings.structure, weights, means, initial)
    return replace(estimated, parameters=given)


def with_room(settings: Settings, survey: Survey, parameters: Parameters) -> Parameters:
    """Return Gaussian components with the room for outliers that the settings ask for."""
    if settings.outliers is None:
        return parameters
    return RobustModel.of(settings, survey).with_outliers(Maximised(parameters)).parameters


def _given(structure_name: str, weights: Array, means: Array, initial: Initial) -> Parameters:
    """Return the mixture of the precisions given, in the structure: else the first step falls."""
    assert initial.precisions is not None
    structure = STRUCTURES[structure_name]
    factors = structure.precision.factorise_precisions(initial.precisions)
    covariances = structure.precision.covariances(factors)
    if structure.free:
        return Parameters(structure_name, weights, means, covariances, factors)
    inside = projected(structure_name, weights, means, covariances)
    if inside is None:
        raise IllDefinedError(ILL_DEFINED)
    return inside


def _estimate(
    survey: Survey,
    sample: Sample,
    settings: Settings,
    random: np.random.RandomState,
    metric: Metric | None,
) -> Maximised:
    k, structure = settings.n_components, STRUCTURES[settings.structure]
    x, weights = sample.x, sample.weights
    if settings.labelling is not None:
        assert sample.beside.labels is not None, "the rows have labels"
        components = labelled_clusters(sample, settings.labelling.classes, random)
        return _maximised(survey, settings, x, _one_hot(components, weights, k))
    if settings.init_params in ("k-means++", "random_from_data"):
        measured = x if metric is None else metric.apply(x)
        rows = _single_rows(measured, weights, k, settings.init_params, random)
        if settings.outliers is not None or survey.is_noisy:
            # Components as narrow as one row would leave all others to the outliers, and from one
            # that is narrow beside the noise of its rows EM hardly goes on.
            labels = pairwise_distances_argmin(measured, measured[rows])
            return _maximised(survey, settings, x, _one_hot(labels, weights, k))
        if settings.bayesian is not None:
            return _posterior_of_rows(survey, settings, x, rows)
        if structure.constrains_means or (
            isinstance(structure, LowRankStructure) and structure.is_projected(x.shape[1])
        ):
            return _spread_about(survey, settings, x[rows].astype(np.float64))
        if settings.prior is None:
            return _from_rows(structure, x, rows, settings.reg_covar)
        points = x[rows].astype(np.float64)
        started = _maximised(survey, settings, points, _one_hot(np.arange(k), None, k))
        # A strong prior of the means would draw all of them to one point.
        return replace(started, parameters=replace(started.parameters, means=points))
    if settings.init_params == "random":
        responsibilities = _random(random, len(x), k, weights)
    else:
        responsibilities = _one_hot(cluster(x, weights, k, random, metric), weights, k)
    return _maximised(survey, settings, x, responsibilities)


def _maximised(
    survey: Survey, settings: Settings, x: NDArray[Any], responsibilities: Responsibilities
) -> Maximised:
    """Return the M-step of responsibilities, with the prior's moments."""
    structure, k = STRUCTURES[settings.structure], settings.n_components
    if isinstance(structure, LowRankStructure) and structure.is_projected(x.shape[1]):
        mixtures = MixtureModel.of(settings, survey)
        return _projected_start(mixtures, structure, x, responsibilities, k)
    model = model_of(settings, survey)
    moments = _moments(structure, x, responsibilities, k)
    return model.begin(model.complete(moments))


def _projected_start(
    model: MixtureModel,
    structure: LowRankStructure,
    x: NDArray[Any],
    responsibilities: Responsibilities,
    k: int,
) -> Maximised:
    """Return the start of moments that are projected, after a few steps.

    A step sees no axes but those before it, and the first ones are those of all rows.
    """
    step: Maximised | None = None
    for _ in range(PROJECTED_STEPS):
        begin = _factorised_spread(model, k) if step is None else step.parameters
        axes = structure.precision.axes(begin.covariances).projections
        moments = _moments(structure, x, responsibilities, k, axes)
        step = maximise(moments, structure.name, model.reg_covar, begin, first=step is None)
    assert step is not None, "there is one step at least"
    return step


def _one_hot(labels: Labels, weights: Array | None, k: int) -> Responsibilities:
    components = np.arange(k)[:, None]

    def passes() -> Iterator[Array]:
        for rows in _tiles(len(labels)):
            hard: Array = (labels[rows] == components).astype(np.float64)
            yield hard if weights is None else hard * weights[rows]

    return passes


def _random(
    random: np.random.RandomState, n: int, k: int, weights: Array | None
) -> Responsibilities:
    """Draw row by row as scikit-learn does, but never more than a tile of n x k at once."""
    beginning = copy.deepcopy(random)

    def passes() -> Iterator[Array]:
        random.set_state(beginning.get_state())
        for rows in _tiles(n):
            uniform = random.uniform(size=(rows.stop - rows.start, k)).T
            uniform /= uniform.sum(axis=0)
            yield uniform if weights is None else uniform * weights[rows]

    return passes


def _single_rows(
    x: Array, weights: Array | None, k: int, init_params: str, random: np.random.RandomState
) -> NDArray[np.intp]:
    if init_params == "k-means++":
        chosen: NDArray[np.intp] = kmeans_plusplus(
            squarable(x, weights), k, random_state=random, sample_weight=weights
        )[1]
        return chosen
    if weights is None:
        return random.choice(len(x), size=k, replace=False)
    return random.choice(len(x), size=k, replace=False, p=weights / weights.sum())


def _from_rows(
    structure: Structure, x: Array, rows: NDArray[np.intp], reg_covar: float
) -> Maximised:
    """Start each component at one row.

    One row has no spread, so that the covariances are reg_covar alone; the tied one is, as
    in scikit-learn, what all rows leave after the chosen ones: too large n / k times over.
    """
    k, d = len(rows), x.shape[1]
    means = x[rows].astype(np.float64)
    if structure.statistic.pools:
        covariances = structure.precision.of_matrices(_tied_from_rows(x, means)[None])
    else:
        covariances = np.zeros(structure.covariance_shape(k, d))
    covariances = structure.precision.raised(covariances, reg_covar)
    scatter = structure.scatter(covariances, np.ones(len(covariances)), d)
    found = estimate(structure, scatter, reg_covar, covariances, first=True)
    weights = np.full(k, 1 / k)
    return Maximised(
        Parameters(structure.name, weights, means, found.covariances, found.factors),
        ridges=found.ridges,
    )


def _spread_about(survey: Survey, settings: Settings, points: Array) -> Maximised:
    """Start each component at a point with the covariance of all rows.

    Without loadings moments that are projected would be 0, and no step would leave them; and means
    that are constrained would be equal.
    """
    model = MixtureModel.of(settings, survey)
    spread = _factorised_spread(model, len(points))
    means = model.structure.placed(points, spread.weights, spread.covariances)
    return Maximised(replace(spread, means=means))


def _factorised_spread(model: MixtureModel, k: int) -> Parameters:
    """Return components with the covariance of all rows; raise `IllDefinedError` if singular."""
    spread = model.spread_of_all(k)
    try:
        factors = model.structure.precision.factorise(spread.covariances)
    except SingularError as error:
        raise IllDefinedError(ILL_DEFINED) from error
    return replace(spread, precisions_cholesky=factors)


def _posterior_of_rows(
    survey: Survey, settings: Settings, x: Array, rows: NDArray[np.intp]
) -> Maximised:
    """Start each component with the posterior of one row, its shared covariance as `_from_rows`."""
    k, structure = len(rows), STRUCTURES[settings.structure]
    points, model = x[rows].astype(np.float64), model_of(settings, survey)
    one_row = np.full(k, survey.weight / survey.counted(settings.weights_are))
    moments = _moments(structure, points, _one_hot(np.arange(k), one_row, k), k)
    if moments.pooled is not None:
        moments = replace(moments, pooled=one_row.sum() * _tied_from_rows(x, points))
    return model.begin(model.complete(moments))


def _tied_from_rows(x: Array, means: Array) -> Array:
    about_zero = _remainder(x, means, np.zeros(x.shape[1]))
    if np.linalg.eigvalsh(about_zero)[0] > 0:
        return about_zero
    # Differs from scikit-learn, which fails here: the data are far from the origin.
    return _remainder(x, means, x.mean(axis=0, dtype=np.float64))


def _remainder(x: Array, means: Array, origin: Array) -> Array:
    rows, points = x - origin, means - origin
    remainder: Array = (rows.T @ rows - points.T @ points) / len(means)
    return remainder


def _tiles(n: int) -> Iterator[slice]:
    for first in range(0, n, TILE_ROWS):
        yield slice(first, min(first + TILE_ROWS, n))


def _moments(
    structure: Structure,
    x: Array,
    responsibilities: Responsibilities,
    k: int,
    axes: Array | None = None,
) -> Moments:
    """Return the moments about each component's own mean: nothing cancels there.

    About no common centre: rows far from it would be rounded.
    """
    d = x.shape[1]
    counts, firsts = np.zeros(k), np.zeros((k, d))
    for rows, gamma in zip(_tiles(len(x)), responsibilities(), strict=True):
        counts += gamma.sum(axis=1)
        firsts += gamma @ x[rows]
    points = firsts / np.where(counts > 0, counts, 1.0)[:, None]
    sums = Sums.zeros(structure, k, d)
    for rows, gamma in zip(_tiles(len(x)), responsibilities(), strict=True):
        accumulate_about(structure, points, x[rows].T, gamma, sums, axes)
    return Moments(sums.sums, points, sums.pooled, 0.0, float(counts.sum()), len(x))
