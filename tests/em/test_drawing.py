"""The sample in which far rows are likelier: the same for any chunking, and unbiased."""

import dask.array as da
import numpy as np
import pytest

from daskgmm import GaussianMixture
from daskgmm.companions import Companions
from daskgmm.em.events import Iterated, PassEnded, StartFound, silence
from daskgmm.em.starts.drawing import draw_rows
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.labelling import Labelling
from daskgmm.em.survey.survey import TrainingSet
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.companions.weights import weights_for
from daskgmm.rows.opening import as_rows
from tests.oracle.data import blobs

N = 40_000
X = blobs(N, 3, 4, seed=0)


def drawn(x, m=2000, seed=0, weights=None, labels=None):
    rows, labelling = as_rows(x), None
    weights = None if weights is None else weights_for(rows, weights)
    if labels is not None:
        labelling = Labelling((0, 1), (*np.bincount(labels[labels >= 0]), (labels < 0).sum()))
        labels = weights_for(rows, labels)
    data = Dataset.of(rows, Companions(weights, labels), 4, 10)
    training = TrainingSet(data, survey_rows(data, None, silence), silence)
    return draw_rows(training, seed, m, labelling)


@pytest.mark.parametrize("chunk", [7, 1000, 33_333])
def test_any_chunking_gives_the_same_rows(chunk):
    x = X[:4000] if chunk == 7 else X
    one, other = (drawn(da.from_array(x, chunks=(c, 3))) for c in (chunk, len(x)))
    np.testing.assert_array_equal(one.index, other.index)
    np.testing.assert_array_equal(one.x, x[one.index])
    np.testing.assert_allclose(one.chances, other.chances, rtol=1e-9)


def test_size_and_weights_are_unbiased():
    sizes, totals, means = [], [], []
    for seed in range(20):
        x, counts = drawn([X], seed=seed).part()
        sizes.append(len(x))
        totals.append(counts.sum())
        means.append(counts @ x / counts.sum())
    assert np.mean(sizes) == pytest.approx(2000, rel=0.03)
    assert np.mean(totals) == pytest.approx(N, rel=0.02)
    np.testing.assert_allclose(np.mean(means, axis=0), X.mean(0), atol=0.06)


def test_parts_are_nested_and_count_for_all_rows():
    draw = drawn([X])
    small, large = ({tuple(row) for row in draw.part(share)[0]} for share in (0.25, 1.0))
    assert small < large
    assert draw.part(0.25)[1].sum() == pytest.approx(N, rel=0.15)


@pytest.mark.parametrize("rare", [5, 4000])
def test_labelled_rows_are_drawn_by_their_classes(rare):
    labels = np.full(N, -1)
    places = np.random.default_rng(0).permutation(N)
    labels[places[:rare]], labels[places[rare : 4 * rare]] = 0, 1
    sizes, totals = [], []
    for seed in range(10):
        draw = drawn([X], seed=seed, labels=labels)
        found, counts = draw.beside_part().labels, draw.part()[1]
        sizes.append([(found == j).sum() for j in (0, 1, -1)])
        totals.append([counts[found == j].sum() for j in (0, 1, -1)])
    labelled = [rare, 3 * rare, N - 4 * rare]
    np.testing.assert_allclose(np.mean(totals, axis=0), labelled, rtol=0.3 if rare == 5 else 0.1)
    sizes = np.mean(sizes, axis=0)
    assert 0.9 * 2000 < sizes.sum() < 1.1 * 2000
    # Of few all rows of the rarer class, of many about as many of each.
    assert sizes[0] == 5 if rare == 5 else 500 < sizes[0] < 700


def test_weights_are_chances_and_rows_of_weight_zero_are_never_drawn():
    weights = np.zeros(N)
    weights[::4] = 2.0
    draw = drawn([X], weights=weights)
    assert (draw.index % 4 == 0).all()
    x, counts = draw.part()
    assert len(x) == pytest.approx(2000, rel=0.1)
    assert counts.sum() == pytest.approx(weights.sum(), rel=0.05)


def test_a_rare_cluster_far_away_is_seen():
    x = np.concatenate([X, 200 + np.random.default_rng(0).normal(size=(8, 3))])
    assert (drawn([x], m=500).index >= N).sum() == 8


def test_a_constant_column_does_not_disturb():
    x = X.copy()
    x[:, 1] = 3.0
    assert len(drawn([x]).x) == pytest.approx(2000, rel=0.1)


def passes(x, **settings):
    events = []
    mixture = GaussianMixture(4, random_state=0, **settings).fit(x, listen=events.append)
    return mixture, events


def test_a_fit_begins_with_the_best_of_several_on_a_sample():
    mixture, events = passes(X)
    names = [event.name for event in events if isinstance(event, PassEnded)]
    assert names[:3] == ["survey", "sample", "expectation"]
    assert len(names) == 2 + mixture.n_iter_
    (found,) = [event for event in events if isinstance(event, StartFound)]
    assert found.candidates == 8
    assert found.rows == pytest.approx(10_000, rel=0.1)
    iterated = [event.iteration for event in events if isinstance(event, Iterated)]
    assert iterated == list(range(1, mixture.n_iter_ + 1))
    assert mixture.n_iter_ <= 10


@pytest.mark.slow
def test_sorted_rows_start_as_well_as_shuffled_ones():
    order = np.argsort(X[:, 0])
    one, other = (passes(x, sample_rows=2000)[0] for x in (X[order], X))
    first = [each.history_["lower_bound"][0] for each in (one, other)]
    assert first[0] == pytest.approx(first[1], abs=0.02)
    assert one.lower_bound_ == pytest.approx(other.lower_bound_, abs=1e-4)


@pytest.mark.parametrize("rows", [5000, 30_000])
def test_the_sample_is_as_large_as_asked_for(rows):
    _, events = passes(X, sample_rows=rows)
    found = [event.rows for event in events if isinstance(event, StartFound)]
    if 2 * rows >= N:  # not worth a pass: all rows are taken
        assert found == [N]
        assert not any(isinstance(each, PassEnded) and each.name == "sample" for each in events)
    else:
        assert found == [pytest.approx(rows, rel=0.1)]


@pytest.mark.slow
def test_unknown_lengths():
    lazy = da.from_array(X, chunks=(3000, 3))
    mixture, events = passes(lazy[da.from_array(np.ones(N, bool), chunks=3000)])
    assert any(isinstance(event, StartFound) for event in events)
    expected, _ = passes(lazy)
    # Which rows are drawn depends on their numbers, which are not known.
    assert mixture.lower_bound_ == pytest.approx(expected.lower_bound_, abs=1e-3)
