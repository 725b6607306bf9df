"""Labels before a fit: counted, and with a sample that has rows of each class."""

import dask.array as da
import numpy as np
import pytest

from daskgmm.companions import Companions
from daskgmm.em.events import silence
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.label_counts import count_labels
from daskgmm.em.survey.labelling import Labelling
from daskgmm.em.survey.sample import SampleRule
from daskgmm.errors import DataError
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.companions.coded import coded_rows
from daskgmm.rows.companions.weights import weights_for
from daskgmm.rows.opening import as_rows
from tests.rows.conformance import read_all

RANDOM = np.random.default_rng(0)
N = 40_000
LABELS = np.full(N, -1)
LABELS[RANDOM.choice(N, 20, replace=False)] = 0
LABELS[RANDOM.choice(np.flatnonzero(LABELS < 0), 4000, replace=False)] = 1
X = RANDOM.normal(size=(N, 2))


@pytest.mark.parametrize("make", [np.asarray, lambda y: da.from_array(y, chunks=7000)])
@pytest.mark.parametrize("dtype", ["i1", "i8", "f4", "f8"])
def test_labels_are_counted(make, dtype):
    labels = weights_for(as_rows(X), make(np.where(LABELS < 0, -1, 3 * LABELS + 5).astype(dtype)))
    found = count_labels(labels)
    assert found.values.tolist() == [5, 8]
    assert found.counts.tolist() == [20, 4000]
    assert found.unknown == N - 4020
    assert found.all_of(np.array([2, 5, 8])) == (0, 20, 4000, N - 4020)
    coded = coded_rows(labels, found.values)
    np.testing.assert_array_equal(read_all(coded), LABELS)


def test_large_and_negative_labels_and_those_of_two_classes():
    assert count_labels(ArrayRows(np.array([10**9, -7, -1, -7]))).values.tolist() == [-7, 10**9]
    assert count_labels(ArrayRows(np.array([1, -1, 1]))).values.tolist() == [-1, 1]
    assert count_labels(ArrayRows(np.array([True, False]))).values.tolist() == [0, 1]
    assert count_labels(ArrayRows(np.array([1, -1, 1])), most=2).values.tolist() == [1]
    with pytest.raises(DataError, match="at most 1,024 classes"):
        count_labels(ArrayRows(np.arange(2000)))


def test_labels_that_change_are_an_error():
    coded = coded_rows(ArrayRows(np.array([0, 1, 2])), np.array([0, 1]))
    with pytest.raises(DataError, match="have changed while they were read: 2 is not one"):
        read_all(coded)


@pytest.mark.parametrize("chunks", [1000, 9999])
def test_a_sample_has_rows_of_each_class_however_rare(chunks):
    labelling = Labelling((0, 1, 1), (20, 4000, N - 4020))
    assert labelling.shifts == (10, 3, 0)
    rule = SampleRule(0, 1000, N, labelling.shifts)
    rows = as_rows(da.from_array(X, chunks=(chunks, 2)))
    labels = weights_for(rows, da.from_array(LABELS.astype("i4"), chunks=500))
    data = Dataset.of(rows, Companions(labels=labels), 3, 6)
    sample = survey_rows(data, rule, silence).sample
    counts = np.bincount(1 + sample.beside.labels)
    assert counts.sum() == 1000
    assert counts[1] == 20
    assert counts[[0, 2]].min() > 200
    np.testing.assert_array_equal(sample.beside.labels, LABELS[sample.index])
    np.testing.assert_array_equal(sample.x, X[sample.index])
    in_memory = Dataset.of(ArrayRows(X), Companions(labels=ArrayRows(LABELS)), 3, 6)
    again = survey_rows(in_memory, rule, silence).sample
    np.testing.assert_array_equal(again.index, sample.index)


def test_the_digest_of_labels_depends_on_them_and_their_order_alone():
    labels = np.array([3, -1, 0, 7, 3, 3, 0])

    def content(values, lengths=None):
        return count_labels(ArrayRows(values, lengths)).content

    assert content(labels) == content(labels, [2, 4, 1])
    assert content(labels) == content(np.where(labels < 0, np.nan, labels), [6, 1])
    others = [labels[::-1], labels[[0, 1, 2, 3, 4, 6, 5]], np.append(labels, 0) + 1, labels[:-2]]
    assert len({content(values) for values in (labels, *others)}) == 5
