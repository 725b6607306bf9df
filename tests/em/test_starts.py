"""Starts: many where they are cheap, in coordinates that do not depend on the columns' choice."""

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import sklearn.mixture

from daskgmm import GaussianMixture
from daskgmm.companions import ALONE, Companions
from daskgmm.em.events import Iterated, PassEnded, StartFound, silence
from daskgmm.em.iterations.loop import iterate, iterate_together
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.k_means import unwarned
from daskgmm.em.settings import Settings
from daskgmm.em.starts.candidates import SHORT_ITER, Part, SomeRows, race, ranked, starts_worth
from daskgmm.em.starts.clustering import cluster, metric_of, revealing
from daskgmm.em.starts.drawing import whole_draw
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.sample import SampleRule
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.coordinates import whitening
from daskgmm.gaussian.m_step import Maximised
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.arrays import ArrayRows
from tests.oracle.data import STRUCTURES, blobs

pytestmark = pytest.mark.slow

NEAR = 1e-3

APART = 6.0


def rotation(d, random):
    return np.linalg.qr(random.normal(size=(d, d)))[0]


def cigars(n, k=3, d=2, wide=1, aspect=50.0, seed=0):
    """Return parallel clusters (n, d), wide along some axes and apart along the last, rotated."""
    random = np.random.default_rng(seed)
    labels = random.integers(k, size=n)
    x = random.normal(size=(n, d))
    x[:, :wide] *= aspect
    x[:, -1] += APART * labels
    return x @ rotation(d, random), labels


def from_the_truth(x, labels, **settings):
    """Return the score of the fit that starts at the true clusters."""
    clusters = [x[labels == j] for j in range(labels.max() + 1)]
    start = {
        "weights_init": np.array([len(each) for each in clusters]) / len(x),
        "means_init": [each.mean(0) for each in clusters],
        "precisions_init": [np.linalg.inv(np.cov(each.T)) for each in clusters],
    }
    return GaussianMixture(len(clusters), **start, **settings).fit(x).score(x)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("k", "d", "wide"), [(3, 2, 1), (3, 4, 3), (5, 2, 1)], ids=["cigars", "pancakes", "five"]
)
def test_rotated_parallel_clusters_are_found(k, d, wide, seed):
    x, labels = cigars(2000, k, d, wide, seed=seed)
    mixture = GaussianMixture(k, random_state=seed).fit(x)
    assert mixture.score(x) > from_the_truth(x, labels) - NEAR


@pytest.mark.parametrize(("n", "seed"), [(2000, 0), (2000, 4), (2000, 12), (5000, 1)])
def test_a_start_that_stays_on_a_plateau_is_not_preferred(n, seed):
    # From scikit-learn's start these take 100 to 200 iterations.
    x, labels = cigars(n, 6, seed=seed)
    mixture = GaussianMixture(6, random_state=0).fit(x)
    assert mixture.converged_
    assert mixture.score(x) > from_the_truth(x, labels) - NEAR


@pytest.mark.parametrize("seed", range(3))
def test_rotated_clusters_are_found_on_a_sample(seed):
    x, labels = cigars(12_000, seed=seed)
    lazy = da.from_array(x, chunks=(5000, 2))
    mixture = GaussianMixture(3, random_state=seed, sample_rows=3000).fit(lazy)
    assert mixture.score(x) > from_the_truth(x, labels) - NEAR


@pytest.mark.parametrize("seed", range(3))
def test_crossing_cigars_are_found(seed):
    random = np.random.default_rng(seed)
    labels = random.integers(3, size=3000)
    turns = [rotation(4, random) * [50, 1, 1, 1] for _ in range(3)]
    x = np.einsum("nij,nj->ni", np.stack(turns)[labels], random.normal(size=(3000, 4)))
    x += (20 * random.normal(size=(3, 4)))[labels]
    mixture = GaussianMixture(3, random_state=seed).fit(x)
    assert mixture.score(x) > from_the_truth(x, labels) - NEAR


def test_columns_of_other_units_a_constant_and_a_sum_do_not_hide_clusters():
    x, labels = cigars(2000, seed=1)
    units = [1e4, 1e-3]
    mixture = GaussianMixture(3, random_state=0, reg_covar=1e-12).fit(x * units)
    best = from_the_truth(x * units, labels, reg_covar=1e-12)
    assert mixture.score(x * units) > best - NEAR
    wider = np.c_[x, np.full(len(x), 7.0), x.sum(axis=1)]
    found = GaussianMixture(3, random_state=0).fit(wider).predict(wider)
    agreeing = sum(np.bincount(found[labels == j], minlength=3).max() for j in range(3))
    assert agreeing > 0.99 * len(x)


def test_weights_count_in_clusters():
    x, labels = cigars(1500, seed=2)
    noise = np.random.default_rng(0).uniform(-200, 200, size=(1500, 2))
    rows = np.concatenate([x, noise])
    weights = np.repeat([1.0, 0.0], 1500)
    mixture = GaussianMixture(3, random_state=0).fit(rows, sample_weight=weights)
    assert mixture.score(x) > from_the_truth(x, labels) - NEAR


def test_the_best_start_is_never_below_scikit_learns():
    for seed in range(3):
        x = blobs(250, 2, 5, seed=seed, separation=1.2)
        ours = GaussianMixture(5, random_state=seed, max_iter=300).fit(x)
        plain = GaussianMixture(5, random_state=seed, max_iter=300, acceleration=None).fit(x)
        assert ours.score(x) > plain.score(x) - 1e-5


def test_a_start_of_scikit_learn_that_is_as_good_as_any_is_kept():
    x = blobs(300, 3, 3, separation=3.0)
    ours, plain = (
        GaussianMixture(3, random_state=0, acceleration=way, tol=1e-6, max_iter=1000).fit(x)
        for way in ("auto", None)
    )
    assert plain.lower_bounds_[-1] - plain.lower_bounds_[0] > 1e-3
    # Accelerated EM counts `reg_covar` as noise.
    assert ours.lower_bounds_[0] == pytest.approx(plain.lower_bounds_[0], abs=1e-4)
    np.testing.assert_allclose(ours.means_, plain.means_, atol=1e-3)


@pytest.mark.parametrize("n_init", [1, 3])
def test_the_users_generator_goes_as_far_as_in_scikit_learn(n_init):
    x = blobs(200, 2, 3)
    ours, theirs = np.random.RandomState(4), np.random.RandomState(4)
    GaussianMixture(3, random_state=ours, n_init=n_init).fit(x)
    sklearn.mixture.GaussianMixture(3, random_state=theirs, n_init=n_init).fit(x)
    assert ours.randint(1 << 30) == theirs.randint(1 << 30)


@pytest.mark.parametrize(
    ("settings", "candidates"),
    [
        ({}, [5]),
        ({"n_init": 3}, [5]),
        ({"acceleration": None}, []),
        ({"init_params": "random"}, []),
        ({"max_iter": 0}, []),
        ({"means_init": [[0.0, 0.0], [4.0, 4.0]]}, []),
    ],
)
def test_which_fits_of_small_data_compare_starts(settings, candidates):
    events = []
    mixture = GaussianMixture(2, random_state=0, **settings)
    mixture.fit(blobs(200, 2, 2, separation=6.0), listen=events.append)
    found = [event.candidates for event in events if isinstance(event, StartFound)]
    assert found == candidates


@pytest.mark.parametrize(
    ("rows", "k", "anew"),
    [(blobs(200, 2, 2, separation=6.0), 2, True), (blobs(500, 6, 2, separation=3.0), 6, False)],
)
def test_a_fit_that_begins_anew_says_so(rows, k, anew):
    """Its first lower bounds are below that of the start, which nothing else would explain."""
    events = []
    GaussianMixture(k, random_state=0).fit(rows, listen=events.append)
    (found,) = [event for event in events if isinstance(event, StartFound)]
    first = next(event.lower_bound for event in events if isinstance(event, Iterated))
    assert found.begun_anew == anew
    assert (first < found.lower_bound - 1e-9) == anew


def test_more_starts_are_compared_where_the_first_ones_differ():
    events = []
    GaussianMixture(5, random_state=0).fit(cigars(1000, k=5)[0], listen=events.append)
    assert [event.candidates for event in events if isinstance(event, StartFound)] == [9]


def settings(k=3, structure="full"):
    return Settings(
        n_components=k, structure=structure, tol=1e-3, reg_covar=1e-6, max_iter=100, n_init=1,
        init_params="kmeans", accelerated=True,
    )  # fmt: skip


def test_starts_are_many_where_they_are_cheap():
    assert starts_worth(settings(), 200, 200, 2, 12) == 12
    assert starts_worth(settings(), 200, 200, 2, 12, seconds=0.3) < 12
    assert starts_worth(settings(), 50, 50, 500, 12) < 2
    assert starts_worth(settings(50), 300_000, 300_000, 40, 12) < 12
    assert starts_worth(settings(1), 200, 200, 2, 12) == 1


def surveyed(x, weights=None):
    rows = ArrayRows(x)
    held = None if weights is None else ArrayRows(weights, rows.lengths)
    return survey_rows(Dataset.of(rows, Companions(held), 3, 10), None, silence)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("candidate", [1, 3, 5])
def test_clusters_of_whitened_rows_do_not_depend_on_the_axes(candidate, weighted):
    x, _ = cigars(1000, 4, 3)
    random = np.random.default_rng(3)
    weights = random.uniform(0.5, 2.0, size=1000) if weighted else None
    other = x @ (rotation(3, random) * [0.5, 1.0, 20.0]) @ rotation(3, random) + 100.0
    found = []
    for rows in (x, other):
        generator = np.random.RandomState(5)
        metric = metric_of(surveyed(rows, weights), candidate)
        found.append(cluster(rows, weights, 4, generator, metric))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(("k", "d"), [(6, 2), (3, 8)])
@pytest.mark.parametrize("seed", range(3))
def test_the_least_normal_coordinates_show_what_wide_axes_hide(k, d, seed):
    x, labels = cigars(2000, k, d, seed=seed)
    metric, generator = metric_of(surveyed(x), 3), np.random.RandomState(seed)
    # k-means++ itself misses one of six intervals now and then.
    agreeing = [
        sum(np.bincount(found[labels == j], minlength=k).max() for j in range(k))
        for found in (cluster(x, None, k, generator, metric) for _ in range(3))
    ]
    assert max(agreeing) > 0.99 * len(x)


def test_rows_of_a_normal_kurtosis_are_clustered_by_their_distances():
    x = np.repeat(np.sqrt(3.0) * np.array([-1.0, 0, 1]), [100, 400, 100])[:, None]
    shuffled = np.random.default_rng(0).permutation(x)
    for rows in (x, shuffled, x * (1 + 1e-15)):
        np.testing.assert_allclose(np.abs(revealing(rows, None)), 1.0, rtol=1e-12)
    labels = cluster(x, None, 3, np.random.RandomState(0), metric_of(surveyed(x), 3))
    assert len(set(zip(labels, x[:, 0], strict=True))) == 3


def test_clusters_of_even_candidates_do_not_depend_on_units():
    x = blobs(500, 3, 4)
    found = []
    for rows in (x, x * [1e-5, 1.0, 1e5] + [0.0, 1e3, 0.0]):
        generator = np.random.RandomState(5)
        metric = metric_of(surveyed(rows), 2)
        found.append(cluster(rows, None, 4, generator, metric))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("candidate", range(4))
def test_rows_that_are_all_alike_are_clustered_all_the_same(candidate):
    x = np.full((20, 3), 5.0)
    generator = np.random.RandomState(0)
    with unwarned():
        labels = cluster(x, None, 2, generator, metric_of(surveyed(x), candidate))
    assert labels.shape == (20,)


@pytest.mark.parametrize("column", [np.full(300, 0.1) * 3, 1e8 + np.arange(300) % 2 * 1e-8])
def test_a_column_that_is_constant_but_for_rounding_is_not_stretched(column):
    x = np.c_[cigars(300)[0], column]
    metric = metric_of(surveyed(x), 0)
    assert np.ptp(metric.apply(x)[:, 2]) < 1e-6


def test_whitening_leaves_out_constant_and_dependent_columns():
    x, _ = cigars(500, d=3)
    wide = np.c_[x, np.full(500, 1e8), x @ [1.0, 2.0, 3.0], 1e-9 * x[:, 0]]
    survey = surveyed(wide)
    axes = whitening(survey.scatter / survey.weight)
    assert axes.shape == (6, 3)
    mapped = (wide - survey.mean) @ axes
    np.testing.assert_allclose(mapped.T @ mapped / 500, np.eye(3), atol=1e-6)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_candidate_on_the_floor_comes_after_others(structure):
    """A component of rows that are equal in a column has the likelihood of `reg_covar`."""
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 2))
    x[:40] = [3.0, 3.0]
    survey = survey_rows(Dataset.of(ArrayRows(x), ALONE, 1, 1), SampleRule(0, 400, 400), silence)
    part = Part.of(whole_draw(survey, 0), 1.0, settings(2, structure), last=False)
    candidates = part.all_begun(range(8))
    order = [each.degenerate for each in ranked(candidates)]
    assert order == sorted(order)
    for each in candidates:
        parameters = each.fit.step.parameters
        least = min(
            np.linalg.eigvalsh(covariance)[0] for covariance in covariance_matrices(parameters)
        )
        assert (each.degenerate > 0) == (least < 3e-6)
    if structure != "tied":  # one covariance for all is never that of equal rows
        assert max(order) > 0


def drawn(x):
    data = Dataset.of(ArrayRows(x), ALONE, 3, 6)
    return whole_draw(survey_rows(data, SampleRule(0, len(x), len(x)), silence), 0)


def test_half_of_many_starts_are_left_after_short_runs():
    x, seeds = blobs(400, 2, 3, seed=0), range(7)
    with unwarned():
        best, beaten = race(drawn(x), settings(), seeds, finalists=1, thorough=False, early=True)
        whole, _ = race(drawn(x), settings(), seeds, finalists=1, thorough=False)
    assert best[0].fit.converged
    assert best[0].fit.lower_bound == pytest.approx(whole[0].fit.lower_bound, abs=1e-3)
    assert sorted(each.seed for each in [*best, *beaten]) == list(seeds)
    short = [each for each in beaten if each.fit.search is None]
    assert len(short) == 3
    assert all(len(each.fit.iterations) == SHORT_ITER for each in short)


def test_starts_together_end_as_each_alone_does():
    part, passes = Part.of(drawn(blobs(400, 2, 3, seed=0)), 1.0, settings()), []
    listened = replace(part.rows, listen=passes.append)
    far = part.shortened(1).all_begun(range(2))
    near = part.all_begun(range(2, 4))
    begun = [Fit(each.fit.step) for each in (*far, *near)]
    together = iterate_together(listened, begun, part.settings)
    alone = [iterate(part.rows, fit, part.settings) for fit in begun]
    lengths = [len(fit.iterations) for fit in together]
    assert len([each for each in passes if isinstance(each, PassEnded)]) == max(lengths)
    assert len(set(lengths)) > 1
    for one, other in zip(together, alone, strict=True):
        assert len(one.iterations) == len(other.iterations)
        assert one.lower_bound == pytest.approx(other.lower_bound, rel=1e-13)
        np.testing.assert_allclose(one.step.parameters.means, other.step.parameters.means)


@pytest.mark.parametrize(
    "wrong", [{"means": np.full((3, 2), 1e200)}, {"weights": np.full(3, np.inf)}]
)
def test_a_start_that_fails_takes_no_other_along(wrong):
    """Whether its M-step fails, or its pass, as where a density overflows."""
    part = Part.of(drawn(blobs(400, 2, 3, seed=0)), 1.0, settings())
    good = part.all_begun(range(2))
    broken = replace(good[0].fit.step.parameters, **wrong)
    bad = replace(good[0], fit=Fit(Maximised(broken)))
    with np.errstate(all="ignore"):
        assert part.tried(bad) is None
        found = part.all_continued([good[0], bad, good[1]])
    assert [each.seed for each in found] == [0, 1]


def test_a_part_is_surveyed_once_for_all_models(monkeypatch):
    surveys = []

    def counting(*arguments):
        surveys.append(survey_rows(*arguments))
        return surveys[-1]

    monkeypatch.setattr("daskgmm.em.starts.candidates.survey_rows", counting)
    x = blobs(400, 2, 3, seed=0)
    draw = drawn(x)
    parts = [Part.of(draw, share, settings(k)) for share in (1.0, 0.5) for k in (2, 3)]
    assert len(surveys) == 2
    for part, share in zip(parts, (1.0, 1.0, 0.5, 0.5), strict=True):
        rows, counts = draw.part(share)
        np.testing.assert_allclose(part.rows.survey.mean, counts @ rows / counts.sum())
        np.testing.assert_array_equal(part.rows.survey.sample.x, rows)
    # Other rows of a draw have a survey of their own, and so has another draw.
    ones = np.ones(100)
    other = Part.of_rows(SomeRows(x[:100], ones, name=b"first"), settings(), draw)
    np.testing.assert_allclose(other.rows.survey.mean, x[:100].mean(axis=0))
    assert Part.of_rows(SomeRows(x[:100], ones), settings(), draw).rows.survey.rows == 100
    Part.of(drawn(x), 1.0, settings())
    assert len(surveys) == 5
