"""What a size takes from its neighbours: a few rows decide only what they can tell."""

import numpy as np
import pytest

from daskgmm import sweep
from daskgmm.companions import ALONE
from daskgmm.em.events import silence
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.selection.comparing import are_same, is_clearly_better
from daskgmm.em.selection.neighbours import Trials
from daskgmm.em.settings import Settings
from daskgmm.em.starts.candidates import Candidate
from daskgmm.em.starts.drawing import whole_draw
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.sample import SampleRule
from daskgmm.gaussian.m_step import Maximised
from daskgmm.models.sweeps.request import log_densities
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.opening import as_rows
from tests.benchmarks.datasets import rare
from tests.gaussian.mixtures import parameters_of

SHARES = np.full(400, 1 / 400)

ALTERNATING = np.tile([1.0, -1.0], 200)


@pytest.mark.parametrize(("mean", "clearly"), [(0.21, True), (0.19, False), (-0.21, False)])
def test_better_is_more_than_four_standard_errors(mean, clearly):
    """Of 400 differences with the standard deviation 1 the mean has the error 1 / 20."""
    other = np.linspace(-9.0, -3.0, 400)
    assert is_clearly_better(other + mean + ALTERNATING, other, SHARES) is clearly


def test_rows_count_by_their_shares():
    """One row has half of the weight: what the others gain is within its error."""
    shares = np.append(np.full(399, 0.5 / 399), 0.5)
    gains = np.append(np.ones(399), -0.2)
    assert is_clearly_better(gains, np.zeros(400), np.full(400, 1 / 400))
    assert not is_clearly_better(gains, np.zeros(400), shares)


@pytest.mark.parametrize(("size", "same"), [(0.09, True), (0.11, False)])
def test_one_maximum_is_alike_row_by_row(size, same):
    """Equal means do not make two models one."""
    assert are_same(size * ALTERNATING, np.zeros(400), SHARES) is same


X = np.random.default_rng(5).normal(size=(20_000, 2)) + np.repeat([[0.0], [5.0]], 10_000, axis=0)


def of_two(*means):
    mixture = parameters_of("full", [0.5, 0.5], [[mean] * 2 for mean in means], [np.eye(2)] * 2)
    return Candidate(0, Fit(Maximised(mixture)))


def test_candidates_that_may_be_better_are_other_maxima_not_clearly_worse():
    data = Dataset.of(as_rows(X), ALONE, 2, 6)
    draw = whole_draw(survey_rows(data, SampleRule(0, len(X), len(X)), silence), 0)
    settings = Settings(
        n_components=2, structure="full", tol=1e-3, reg_covar=1e-6, max_iter=100, n_init=1,
        init_params="kmeans",
    )  # fmt: skip
    trials = Trials.of(draw, settings, log_densities)
    assert len(trials.shares) < len(X) / 4, "a part of the rows"
    own, mirrored = of_two(-0.3, 5.0), of_two(0.3, 5.0)
    worse, better, same = of_two(2.0, 5.0), of_two(0.0, 5.0), of_two(-0.301, 5.0)
    assert trials._others([worse, mirrored, better, same], own) == [mirrored, better]


@pytest.mark.slow
def test_a_part_of_the_sample_does_not_decide_between_two_maxima():
    """Of 1,800 rows the worse of two merges was likelier by 0.003, of all it is 0.018 less so."""
    found = sweep(rare(), range(4, 8), random_state=5)
    place = found.table["n_components"].index(5)
    assert found.table["log_likelihood"][place] > -6.1893
