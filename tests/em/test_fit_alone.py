"""A sweep of few rows finds of each size what the fit alone finds, of the same random state."""

import numpy as np
import pytest

from daskgmm import GaussianMixture, sweep
from tests.oracle.small_sets import SMALL_SETS

NEAR = 1e-4
"""Nats a row: a sum over counted rows rounds otherwise, and a fit ends within its tolerance."""


def gap(x, k, seed, **settings):
    """Return how much less likely a row is by the sweep's model than by the fit, in nats."""
    found = sweep(x, [k], random_state=seed, **settings)
    alone = GaussianMixture(k, random_state=seed, **settings).fit(x)
    return alone.score(x) - found.best().score(x)


@pytest.mark.parametrize(("name", "seed"), [("diabetes", 0), ("faithful", 0), ("crabs", 1)])
def test_no_model_is_less_likely_than_the_fit_alone(name, seed):
    """They were by 0.028, 0.012 and 0.006 nats per row."""
    assert gap(SMALL_SETS[name].rows(), 5, seed) <= NEAR


def test_nor_with_tails_or_weights():
    x = SMALL_SETS["faithful"].rows()
    assert gap(x, 3, 0, tails="t") <= NEAR
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(x))
    found = sweep(x, [5], random_state=2, sample_weight=weights).best()
    alone = GaussianMixture(5, random_state=2).fit(x, sample_weight=weights)
    assert alone.score(x, sample_weight=weights) <= found.score(x, sample_weight=weights) + NEAR


def test_the_generator_of_the_caller_moves_as_before():
    x, random = SMALL_SETS["faithful"].rows(), np.random.RandomState(0)
    sweep(x, [2], random_state=random, n_init=2)
    expected = np.random.RandomState(0)
    expected.randint(np.iinfo(np.int32).max, size=3)
    assert random.randint(1000) == expected.randint(1000)


def test_a_sweep_that_goes_on_with_more_iterations_has_begun_alike(tmp_path):
    x, settings = SMALL_SETS["diabetes"].rows(), {"random_state": 1, "checkpoint": tmp_path / "c"}
    sweep(x, [4, 5], max_iter=3, **settings)
    found = sweep(x, [4, 5], max_iter=60, **settings)
    at_once = sweep(x, [4, 5], max_iter=60, random_state=1)
    for one, other in zip(found.models, at_once.models, strict=True):
        np.testing.assert_array_equal(one.means_, other.means_)
