"""Batches: contiguous, complete, and a function of the data and the model alone."""

import itertools

import dask
import numpy as np
import pytest

from daskgmm.passes.batches import (
    BATCH_BYTES,
    MAX_BATCHES,
    MIN_BATCHES,
    MOST_BATCHES,
    UNKNOWN_CHUNK_SPAN,
    cut_batches,
)
from daskgmm.rows.rows import UNKNOWN, Rows


class Imagined(Rows):
    """Rows that need not exist."""

    def __init__(self, lengths, n_features=4):
        self.lengths = np.asarray(lengths, np.int64)
        self.n_features = n_features
        self.dtype = np.dtype(np.float64)

    def segment(self, first, stop):
        raise AssertionError("a plan reads nothing")


CASES = {
    "one chunk": [1000],
    "equal": [1000] * 500,
    "uneven": [1, 5_000_000, 3, 0, 0, 70_000, 1_000_000],
    "one row each": [1] * 20_000,
    "huge": [10_000_000] * 2000,
    "unknown": [UNKNOWN] * 300,
    "partly unknown": [1000, UNKNOWN] * 50,
    "empty": [0, 0],
}


@pytest.mark.parametrize("lengths", CASES.values(), ids=CASES)
@pytest.mark.parametrize("row_seconds", [1e-9, 1e-7, 1e-5])
def test_batches_cover_every_chunk_once_and_in_order(lengths, row_seconds):
    batches = cut_batches(Imagined(lengths), row_seconds)
    assert [batch.index for batch in batches] == list(range(len(batches)))
    assert batches[0].first == 0
    assert batches[-1].stop == len(lengths)
    for before, after in itertools.pairwise(batches):
        assert before.stop == after.first
    assert all(batch.first < batch.stop for batch in batches)


def test_known_rows_are_numbered_from_zero():
    batches = cut_batches(Imagined([1000] * 5000), 1e-6)
    assert sum(batch.rows for batch in batches) == 5_000_000
    assert [batch.start_row for batch in batches] == [1000 * batch.first for batch in batches]


def test_rows_of_unknown_chunks_have_numbers_of_their_own():
    batches = cut_batches(Imagined([UNKNOWN] * 300), 1e-6)
    assert all(batch.rows is None for batch in batches)
    assert [b.start_row for b in batches] == [b.first * UNKNOWN_CHUNK_SPAN for b in batches]


def test_rows_are_numbered_as_far_as_the_lengths_before_them_are_known():
    batches = cut_batches(Imagined([1_000_000, 1_000_000, UNKNOWN, 1_000_000]), 1e-5)
    assert [batch.place(7) for batch in batches] == [
        "row 7 (batch 0)",
        "row 1000007 (batch 1)",
        "row 2000007 (batch 2)",
        "row 7 of batch 3 (which begins with chunk 3)",
    ]


def test_little_work_is_one_batch_and_much_work_is_many():
    assert len(cut_batches(Imagined([100] * 10), 1e-7)) == 1
    assert len(cut_batches(Imagined([1000] * 1000), 1e-7)) == MIN_BATCHES
    assert len(cut_batches(Imagined([1000] * 100_000), 1e-4)) == MAX_BATCHES


def test_work_for_thousands_of_threads_has_more_batches_of_ten_seconds():
    rows = Imagined([1_000_000] * 100_000)
    assert len(cut_batches(rows, 1e-7)) == MAX_BATCHES  # 10,000 s: 1,000 batches of 10 s
    assert len(cut_batches(rows, 4e-7)) == 4000
    assert len(cut_batches(rows, 1e-4)) == MOST_BATCHES


def test_1e12_rows_have_as_few_batches_as_their_bytes_allow():
    rows = Imagined([4_000_000] * 250_000)  # 1e12 rows, 32 TB
    assert len(cut_batches(rows, 1e-9)) == -(-32 * 10**12 // BATCH_BYTES)


def test_no_batch_is_much_larger_than_its_limit():
    rows = Imagined([1_000_000] * 5000)
    for batch in cut_batches(rows, 1e-9):
        assert batch.rows * rows.row_nbytes <= BATCH_BYTES + 1_000_000 * rows.row_nbytes


def test_the_cut_does_not_depend_on_who_works():
    rows = Imagined([1000] * 1000)
    with dask.config.set(num_workers=1):
        one = cut_batches(rows, 1e-7)
    with dask.config.set(num_workers=64):
        assert cut_batches(rows, 1e-7) == one
