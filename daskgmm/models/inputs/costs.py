"""Costs of a fit: the cut of its rows, the memory of its passes, and the sizes users give."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

from dask.utils import parse_bytes
from sklearn.base import BaseEstimator

import daskgmm.gaussian.deconvolution.kernel as deconvolution
from daskgmm.companions import Companions
from daskgmm.em.cells import n_cells
from daskgmm.em.events import Listener
from daskgmm.em.settings import Settings
from daskgmm.em.survey.first_pass import survey_nbytes, survey_result_nbytes
from daskgmm.em.survey.sample import Starts
from daskgmm.gaussian.missing.kernel import task_nbytes
from daskgmm.gaussian.missing.patterns import pool_nbytes
from daskgmm.gaussian.truncation.kernel import task_nbytes as cells_task_nbytes
from daskgmm.models.inputs.known_noise import apart, check_known_noise, training_noise
from daskgmm.models.inputs.labels import KnownClasses, check_no_texts, with_labels
from daskgmm.models.inputs.rows import training_rows
from daskgmm.models.inputs.step_costs import steps_of, without_acceleration
from daskgmm.passes.batches import cut_batches, seconds_per_row
from daskgmm.passes.configuration import backend
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.plan import Needs, Plan, make_plan
from daskgmm.passes.transform import Transform
from daskgmm.rows.companions.of_columns import named_by
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.storage.address import Address


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Rows, and what goes beside them, as users give them to `fit` and to sweeps."""

    source: Source
    sample_weight: Any = None
    weights_are: str | None = None
    feature_dims: Sequence[Hashable] | None = None
    labels: Any = None
    known: KnownClasses | None = None
    noise_variance: Any = None
    groups: Any = None

    @property
    def given(self) -> Companions[Any]:
        """Weights, labels and groups, as users give them."""
        return Companions(self.sample_weight, self.labels, None, self.groups)

    def rows(self, estimator: BaseEstimator) -> tuple[Rows, Companions[Rows]]:
        """Return rows and what goes beside them; the estimator takes the names of features."""
        with named_by(replace(self.given, noise=self.noise_variance)):
            return self._rows(estimator)

    def _rows(self, estimator: BaseEstimator) -> tuple[Rows, Companions[Rows]]:
        check_no_texts(self.source, self.labels)
        source, variances = apart(self.source, self.noise_variance)
        rows, beside = training_rows(estimator, source, self.given, self.feature_dims)
        if variances is None:
            return rows, beside
        check_known_noise(estimator)
        rows, noise = training_noise(estimator, source, rows, variances)
        return rows, replace(beside, noise=noise)

    def labelled(
        self, beside: Companions[Rows], settings: Settings
    ) -> tuple[Companions[Rows], Settings]:
        """Return labels as codes of classes, and the settings of a fit with them."""
        return with_labels(beside, settings, self.known)


@dataclass(frozen=True, slots=True)
class Running:
    """How a fit runs: where it keeps its state, the cache, who listens, and whether it is shown."""

    checkpoint: Address | None
    cache: int | str | None
    listen: Listener | None
    shown: bool | str


ROWS_OF_A_CELL = 64
"""Rows of a batch in a cell, on average, from which on what is done for each cell takes no more
time than its rows."""


def cut(rows: Rows, beside: Companions[Rows], settings: Settings, cache: int = 0) -> Dataset:
    """Cut rows into batches for a fit of these settings; `cache` in bytes."""
    calls = backend().short_calls  # a back end that is unknown is refused before a row is read
    k, p = settings.n_columns, settings.n_statistics(rows.n_features)
    transform = Transform(settings.drop_missing, marginalise=settings.marginalise)
    data = replace(Dataset.of(rows, beside, k, p, transform, short_calls=calls), cache=cache)
    if settings.n_candidates is None:
        return data
    # The rows of a batch are to fill the cells.
    least = ROWS_OF_A_CELL * n_cells(settings.n_components, settings.n_candidates)
    return replace(data, batches=cut_batches(rows, seconds_per_row(k, p), least))


START_COPIES = 5
"""Copies of the sample in float64 that a start holds: in its coordinates, in those of the clusters,
and two by k-means (551 MB at 28,041 rows of 600 columns, beside the sample itself); the fifth is
what was freed and did not go back to the system (1,409 MB were measured in all, 1,537 planned)."""


def plan_of(
    data: Dataset,
    settings: Settings,
    starts: Starts,
    candidates: Sequence[Settings] = (),
    *,
    kept: bool = False,
) -> Plan:
    """Return the plan of a fit to rows that are cut.

    `candidates` are the settings of the mixtures that `settings` are in all, if it is of several;
    `kept` says whether there is a checkpoint.
    """
    d, candidates = data.rows.n_features, candidates or [settings]
    mixtures, n = len(candidates), data.rows.n_rows
    if starts.one_goes_on and data.weights is None and not settings.drop_missing:
        starts = replace(starts, count=1)
    mapped = 8 * settings.n_features(d)
    # A drawn sample is in the model's coordinates, the survey's as read.
    sampled = mapped if starts.drawn and settings.is_mapped else data.row_nbytes
    held = 2 * sampled + START_COPIES * starts.at_once * mapped
    needs = Needs(
        n_components=settings.n_columns,
        n_statistics=settings.n_statistics(d),
        n_features=settings.n_features(d),
        max_passes=2 + settings.max_iter * starts.count,
        sample_rows=starts.surveyed_rows,
        sample_spread=1 if settings.labelling is None else settings.labelling.spread,
        start_nbytes=starts.rows * held,
        steps=steps_of(candidates, starts, d, n, kept=kept),
        plain_steps=steps_of(without_acceleration(candidates), starts, d, n, kept=kept),
        survey_nbytes=survey_nbytes(d),
        survey_result_nbytes=survey_result_nbytes(d),
        maps=settings.is_mapped,
        drops=settings.drop_missing,
        patterns_nbytes=patterns_nbytes(settings, d),
        cells_nbytes=cells_nbytes(settings, d, n),
        noise_nbytes=noise_nbytes(data, settings.n_components, d),
        coordinates=coordinates_in_words(settings, d),
        precision=settings.precision,
        n_candidates=settings.n_candidates,
        checkpoint=kept,
        n_buffer_rows=settings.n_buffer_rows(d),
        least_tile_rows=settings.least_tile_rows(d),
        n_mixtures=mixtures,
        n_workspaces=mixtures if settings.is_projected(d) else 1,
    )
    return make_plan(data, needs)


def patterns_nbytes(settings: Settings, d: int) -> int:
    """Return the bytes that grouping rows by the values that they miss takes; 0 without."""
    if not settings.marginalise:
        return 0
    return pool_nbytes(d) + task_nbytes(settings.n_components, d)


def cells_nbytes(settings: Settings, d: int, n: int | None) -> int:
    """Return the bytes that sorting n rows by their cells takes; 0 without candidates."""
    if settings.n_candidates is None:
        return 0
    sizes = settings.n_statistics(d), settings.n_components, settings.n_features(d)
    return cells_task_nbytes(*sizes, settings.n_candidates, n)


def noise_nbytes(data: Dataset, k: int, d: int) -> int:
    """Return the bytes that a pass over rows with noise takes beside these; 0 without noise."""
    noise = data.beside.noise
    return 0 if noise is None else deconvolution.task_nbytes(k, d, noise.n_features)


def coordinates_in_words(settings: Settings, columns: int) -> str:
    """Return what a model of so many columns is fitted in."""
    of = "the columns, each divided by its standard deviation" if settings.standardise else ""
    if settings.pca is None:
        return of or "the columns as they are"
    of = of or "the columns"
    if isinstance(settings.pca, int):
        axes = settings.n_features(columns)
        return f"{axes:,} principal {'axis' if axes == 1 else 'axes'} of {of}"
    return f"principal axes of {of}: as many as explain {settings.pca:g} of the variance"


def cache_nbytes(cache: int | str | None) -> int:
    """Return a size such as ``"2GiB"`` in bytes; raise `ValueError` if it is none."""
    try:
        # Dask knows Python's numbers and texts.
        given = float(cache) if isinstance(cache, Real) else cache
        nbytes = 0 if given is None else int(parse_bytes(given))
    except ValueError:
        nbytes = -1
    if nbytes < 0:
        raise ValueError(f"cache is {cache!r}; give bytes or a size, for example '2GiB'.")
    return nbytes
