"""A whole fit: survey, starts, iterations, the best of them."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, replace

import numpy as np

from daskgmm.em.events import BatchDone, Listener, Surveyed
from daskgmm.em.loop import Fit, iterate
from daskgmm.em.sample import SampleRule, sample_capacity
from daskgmm.em.settings import Settings
from daskgmm.em.start import Initial, start
from daskgmm.em.survey import Survey, survey_rows
from daskgmm.errors import DataError
from daskgmm.gaussian.maximise import Maximised
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.structures import STRUCTURES, n_parameters
from daskgmm.passes.blas import one_blas_thread
from daskgmm.passes.sweep import Dataset
from daskgmm.rows.rows import Rows


@dataclass(frozen=True, slots=True)
class Resume:
    """An earlier fit to go on from, instead of a start."""

    parameters: Parameters
    lower_bound: float


def fit(
    rows: Rows,
    weights: Rows | None,
    settings: Settings,
    initial: Initial,
    random: np.random.RandomState,
    listen: Listener,
    resume: Resume | None = None,
) -> Fit:
    """Fit a mixture to rows and return the best of `n_init` runs of EM.

    Raises
    ------
    DataError
        If the rows or the weights cannot be used, with the place and what to do.
    ValueError
        If a covariance collapses and `reg_covar` is 0.
    """
    k, d = settings.n_components, rows.n_features
    p = STRUCTURES[settings.structure].n_statistics(d)
    data = Dataset.of(rows, weights, k, p)
    needs_sample = resume is None and not initial.complete
    survey = _survey(data, settings, random if needs_sample else None, listen)
    if resume is not None:
        step = Maximised(resume.parameters)
        return iterate(data, survey, step, settings, listen, resume.lower_bound)
    best: Fit | None = None
    for initialisation in range(settings.n_init):
        with one_blas_thread():
            step = start(survey, settings, initial, random)
        found = iterate(data, survey, step, settings, listen, initialisation=initialisation)
        if best is None or best.lower_bound == -math.inf or found.lower_bound > best.lower_bound:
            best = found
    assert best is not None
    return best


def _survey(
    data: Dataset, settings: Settings, random: np.random.RandomState | None, listen: Listener
) -> Survey:
    began, rows = time.perf_counter(), data.rows
    rule = None
    if random is not None:
        free = n_parameters(STRUCTURES[settings.structure], settings.n_components, rows.n_features)
        capacity = sample_capacity(free, rows.n_features)
        rule = SampleRule(_sample_seed(random), capacity, rows.n_rows)

    def progress(done: int, total: int) -> None:
        listen(BatchDone(done, total))

    survey = survey_rows(data, rule, progress)
    check_survey(survey, settings.n_components)
    if rule is not None and _too_few(survey, rule):
        # So many rows have weight 0 that the sample came out small: now their number is known.
        survey = survey_rows(data, replace(rule, n_rows=survey.weighed_rows), progress)
    nbytes = survey.rows * rows.row_nbytes
    seconds = time.perf_counter() - began
    listen(Surveyed(survey.rows, rows.n_features, nbytes, len(data.batches), seconds))
    return survey


def _too_few(survey: Survey, rule: SampleRule) -> bool:
    found = 0 if survey.sample is None else len(survey.sample.hashes)
    return found < min(rule.capacity, survey.weighed_rows)


def _sample_seed(random: np.random.RandomState) -> int:
    # From a copy: drawing from the user's own generator would move it off scikit-learn's path.
    return int(copy.deepcopy(random).randint(np.iinfo(np.int32).max))


def check_survey(survey: Survey, n_components: int) -> None:
    """Raise `DataError` if there are too few rows for a mixture of k components."""
    if survey.rows < 2:
        raise DataError(
            f"Found {survey.rows} sample(s) while a minimum of 2 is required by GaussianMixture."
        )
    if survey.rows and not survey.weight > 0:
        raise DataError(
            "All entries of sample_weight are zero, so no row counts. Give some a positive weight."
        )
    check_enough(survey.weighed_rows, n_components)


def check_enough(rows: int | None, n_components: int) -> None:
    """Raise `DataError` if there are fewer rows, as far as known, than components."""
    if rows is not None and rows < n_components:
        raise DataError(
            "Expected n_samples >= n_components but got "
            f"n_components = {n_components}, n_samples = {rows}"
        )
