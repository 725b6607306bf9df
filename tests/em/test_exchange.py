"""Two components that are one cluster are merged, and one that is two clusters is split."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm.companions import ALONE
from daskgmm.em.events import Iterated, silence
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.k_means import unwarned
from daskgmm.em.selection.exchange import (
    ROUNDS,
    SPLIT_ROWS,
    Exchanges,
    Split,
    components,
    exchanged,
)
from daskgmm.em.selection.races import led_by
from daskgmm.em.settings import Settings
from daskgmm.em.starts.candidates import Candidate, Part, Raced
from daskgmm.em.starts.drawing import whole_draw
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.sample import SampleRule
from daskgmm.gaussian.components.merging import Pair, pairs
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.m_step import Maximised
from daskgmm.models.sweeps.request import log_densities
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.opening import as_rows
from tests.gaussian.mixtures import parameters_of

TRUE = np.array([[0.0, 0.0], [40.0, 0.0], [40.0, 6.0], [0.0, 40.0]])

X = np.concatenate([np.random.default_rng(3).normal(size=(500, 2)) + mean for mean in TRUE])

# Two on the first cluster, and one on the two that are near to each other.
WRONG = [[-0.5, 0.0], [0.5, 0.0], [40.0, 3.0], [0.0, 40.0]]
SPREAD = [np.eye(2), np.eye(2), np.diag([1.0, 10.0]), np.eye(2)]


def wrong(name):
    return parameters_of(name, [0.125, 0.125, 0.5, 0.25], WRONG, SPREAD)


def exchanges(name, k=4):
    data = Dataset.of(as_rows(X), ALONE, k, 6)
    draw = whole_draw(survey_rows(data, SampleRule(0, len(X), len(X)), silence), 0)
    settings = Settings(
        n_components=k, structure=name, tol=1e-3, reg_covar=1e-6, max_iter=100, n_init=1,
        init_params="kmeans", accelerated=STRUCTURES[name].free,
    )  # fmt: skip
    return Exchanges(draw, settings, log_densities)


@pytest.mark.parametrize("name", ["full", "diag", "spherical", "tied", "EVE"])
def test_a_wrong_maximum_is_left(name):
    tried = exchanges(name)
    begun = Candidate(0, Fit(Maximised(wrong(name))))
    stays = Part.of(tried.draw, 1.0, tried.settings).tried(begun)
    with unwarned():
        (found,) = tried.of_best([begun], ROUNDS)
    means = found.fit.step.parameters.means
    nearest = np.linalg.norm(means[:, None] - TRUE, axis=2).argmin(axis=0)
    assert_allclose(means[nearest], TRUE, atol=0.2)
    assert found.fit.lower_bound > stays.fit.lower_bound + 0.1


def test_a_right_one_stays():
    tried = exchanges("full")
    right = parameters_of("full", [0.25] * 4, TRUE, [np.eye(2)] * 4)
    begun = Candidate(0, Fit(Maximised(right)))
    with unwarned():
        (found,) = tried.of_best([begun], ROUNDS)
    assert_allclose(found.fit.step.parameters.means, TRUE, atol=0.2)


@pytest.mark.parametrize("name", ["full", "tied", "EVV"])
def test_the_likeliest_exchange_comes_first(name):
    mixture = wrong(name)
    two = parameters_of(name, [0.5, 0.5], TRUE[1:3], [np.eye(2)] * 2)
    good, bad = Split(2, two, 0.5), Split(3, two, 0.1)
    first, second, *_ = exchanged(mixture, pairs(mixture)[:1], [bad, good])
    assert_allclose(first.weights, [0.25, 0.25, 0.25, 0.25])
    assert_allclose(first.means, [[0.0, 0.0], [0.0, 40.0], *TRUE[1:3]])
    assert_allclose(second.weights, [0.25, 0.5, 0.125, 0.125])


def test_what_is_merged_is_not_split():
    mixture = wrong("full")
    split = Split(2, parameters_of("full", [0.5, 0.5], TRUE[1:3], [np.eye(2)] * 2), 1.0)
    assert not list(exchanged(mixture, [Pair(0, 2, 0.0), Pair(2, 3, 0.0)], [split]))


@pytest.mark.parametrize("name", ["full", "tied"])
def test_a_mixture_is_the_sum_of_its_components(name):
    mixture = wrong(name)
    alone = np.exp([log_densities(one, X, None) for one in components(mixture)])
    assert_allclose(mixture.weights @ alone, np.exp(log_densities(mixture, X, None)), rtol=1e-12)


def test_costs_are_bounds_of_what_is_lost():
    """Of equal components nothing is lost; of those apart all of the mixing entropy."""
    same = parameters_of("full", [0.3, 0.7], [[1.0, 2.0]] * 2, [np.eye(2)] * 2)
    assert_allclose(pairs(same)[0].cost, 0.0, atol=1e-12)
    apart = parameters_of("full", [0.5, 0.5], [[0.0, 0.0], [8.0, 0.0]], [np.eye(2)] * 2)
    assert_allclose(pairs(apart)[0].cost, 0.5 * np.log(1 + 16.0))


def test_two_components_have_none_to_exchange():
    assert exchanges("full", 2).worth(1e9) == 0
    assert exchanges("full").worth(1e9) == ROUNDS
    assert exchanges("full").worth(1e-3) == 0


def test_few_rows_have_more_starts_instead():
    n, d = X.shape
    assert exchanges("full", n // (2 * SPLIT_ROWS * d) + 1).worth(1e9) == 0


def ended(bound, degenerate=0):
    iterated = Iterated(
        iteration=1, lower_bound=bound, change=0.0, gap=0.0, rows=1, seconds=0.0, nbytes=0,
        peak_memory=0,
    )  # fmt: skip
    return Candidate(0, Fit(Maximised(wrong("full")), (iterated,)), degenerate)


def test_only_what_is_better_leads_a_race():
    best, other = ended(-1.0), ended(-1.5)
    raced = Raced((best, other))
    assert led_by(raced, [ended(-0.5), ended(-0.9)], 0.1).best.fit.lower_bound == -0.5
    assert led_by(raced, [ended(-0.95)], 0.1) is raced  # no better than noise
    assert led_by(raced, [], 0.1) is raced
    assert led_by(raced, [ended(-1.4)], 0.1) is raced  # where the best one collapsed
    assert led_by(raced, [ended(9.0, degenerate=1)], 0.1) is raced
    assert led_by(Raced((ended(9.0, degenerate=1),)), [best], 0.1).best is best


def test_the_halves_of_a_shared_covariance_are_judged_with_it():
    """Alone, two halves are narrower than what all components share lets them be."""
    mixture = wrong("tied")
    with unwarned():
        splits = exchanges("tied")._splits(mixture, 0)
    alone = np.array([log_densities(one, X, None) for one in components(mixture)])
    labels = np.argmax(alone + np.log(mixture.weights)[:, None], axis=0)
    assert {split.component for split in splits} >= {2, 3}
    for split in splits:
        assert_allclose(split.two.covariances, mixture.covariances)
        mine = labels == split.component
        gained = log_densities(split.two, X[mine], None) - alone[split.component, mine]
        assert_allclose(split.gain, gained.sum() / len(X))
