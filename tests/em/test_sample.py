"""The sample: uniform, and a function of the seed and the row numbers alone."""

import warnings

import numpy as np
import pytest
import sklearn.mixture
from sklearn.exceptions import ConvergenceWarning

from daskgmm import GaussianMixture, sweep
from daskgmm.companions import Companions
from daskgmm.em.events import PassEnded, silence
from daskgmm.em.starts.start import start
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.sample import SampleRule, row_hashes
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.arrays import ArrayRows

N = 20_000
X = np.arange(N, dtype=float)[:, None]


def sampled(capacity, seed=0, lengths=None, k=10, weights=None, n_rows=N):
    rows = ArrayRows(X, lengths)
    held = None if weights is None else ArrayRows(weights, rows.lengths)
    data = Dataset.of(rows, Companions(held), k, 10)
    return survey_rows(data, SampleRule(seed, capacity, n_rows), silence).sample


def test_hashes_differ_between_rows_and_seeds_and_not_between_cuts():
    whole = row_hashes(3, 0, 1000)
    assert len(np.unique(whole)) == 1000
    np.testing.assert_array_equal(
        np.concatenate([row_hashes(3, 0, 7), row_hashes(3, 7, 993)]), whole
    )
    assert not np.array_equal(row_hashes(4, 0, 1000), whole)


@pytest.mark.parametrize("n_rows", [N, None])
def test_any_chunks_and_batches_give_the_same_sample(n_rows):
    one = sampled(500, n_rows=n_rows)
    assert len(one.index) == 500
    np.testing.assert_array_equal(one.x[:, 0], one.index)
    random = np.random.default_rng(0)
    for k in (1, 1000):
        cuts = np.sort(random.choice(N, 99, replace=False))
        lengths = np.diff([0, *cuts, N])
        other = sampled(500, lengths=lengths, k=k, n_rows=n_rows)
        np.testing.assert_array_equal(other.index, one.index)


def test_samples_of_the_same_seed_are_nested():
    small, large = sampled(100), sampled(1000)
    assert set(small.index) < set(large.index)


def test_a_large_capacity_takes_all_rows_in_order():
    np.testing.assert_array_equal(sampled(N).index, np.arange(N))


def test_the_sample_is_spread_evenly():
    index = np.concatenate([sampled(2000, seed=seed).index for seed in range(5)])
    counts = np.histogram(index, bins=10, range=(0, N))[0]
    assert np.abs(counts - 1000).max() < 5 * 1000**0.5


def test_rows_without_weight_are_never_taken():
    weights = (np.arange(N) % 3 == 0).astype(float)
    sample = sampled(500, weights=weights)
    assert (sample.index % 3 == 0).all()
    assert (sample.weights == 1).all()


def test_a_sample_of_mostly_weightless_rows_is_drawn_again_at_its_full_size(monkeypatch):
    """The number of rows that count is known only once all were read."""
    monkeypatch.setattr("daskgmm.em.survey.sample.MIN_SAMPLE", 500)
    rows = np.random.default_rng(0).normal(size=(N, 1))
    weights = (np.arange(N) % 10 == 0).astype(float)
    sizes = []
    monkeypatch.setattr(
        "daskgmm.em.fit.start",
        lambda survey, *rest: sizes.append(len(survey.sample.hashes)) or start(survey, *rest),
    )
    GaussianMixture(2, random_state=0, tol=0.1, acceleration=None).fit(rows, None, weights)
    assert sizes == [500]


@pytest.mark.slow
@pytest.mark.parametrize("share", [1, 2, 6])
def test_fits_and_sweeps_take_few_rows_that_count_whole_and_draw_of_many(share):
    """With 1,000 rows asked for, up to 2,000 are taken whole; which of them count a pass tells."""
    weights = (np.arange(N) % 20 < share).astype(float)
    rows = np.random.default_rng(0).normal(size=(N, 2))
    for fit in (GaussianMixture(2, sample_rows=1000, random_state=0, tol=0.1).fit, swept):
        events = []
        fit(rows, sample_weight=weights, listen=lambda event, events=events: events.append(event))
        passes = [event.name for event in events if isinstance(event, PassEnded)]
        assert passes[:2] == ["survey", "sample" if share == 6 else "survey"]
        assert passes[2] == "expectation"


def swept(rows, **settings):
    return sweep(rows, 2, n_init=1, sample_rows=1000, random_state=0, tol=0.1, **settings)


def test_random_starts_are_drawn_a_tile_at_a_time_and_are_scikit_learns():
    rows = np.random.default_rng(0).normal(size=(5000, 2))
    ours, theirs = (
        kind(3, init_params="random", random_state=np.random.RandomState(5), max_iter=1, n_init=2)
        for kind in (GaussianMixture, sklearn.mixture.GaussianMixture)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        np.testing.assert_allclose(ours.fit(rows).means_, theirs.fit(rows).means_, rtol=1e-8)
    assert ours.random_state.randint(1 << 30) == theirs.random_state.randint(1 << 30)
