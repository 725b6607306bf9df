"""What every source of rows must do; the test of a source inherits `RowsTests`."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from daskgmm.rows.rows import UNKNOWN, Rows, Segment


def blocks_of(segment: Segment) -> list[Any]:
    """Read a segment, fetching what it depends on."""
    return list(segment.stream([future.result() for future in segment.dependencies]))


def read_all(rows: Rows) -> np.ndarray:
    """Read all rows as one segment."""
    return np.concatenate(blocks_of(rows.segment(0, len(rows.lengths))))


def names_of(data: np.ndarray) -> list[str]:
    """Return a name for each column."""
    return [f"c{index}" for index in range(1 if data.ndim == 1 else data.shape[1])]


class RowsTests:
    """Conformance to `Rows`; a subclass says how to put `data` into its source.

    A test of a source adds parameters to `data` where it can hold more shapes.
    """

    names = False
    """Whether columns have names in the source: those of `names_of`."""

    def make(self, data: np.ndarray, tmp_path: Any) -> Rows:
        """Return a source that holds `data` in at least three chunks."""
        raise NotImplementedError

    @pytest.fixture(params=["f4", "i2", "?", "1-D"])
    def data(self, request: pytest.FixtureRequest) -> np.ndarray:
        random = np.random.default_rng(0)
        if request.param == "1-D":
            return random.normal(size=41)
        return (10 * random.normal(size=(41, 5))).astype(request.param)

    @pytest.fixture
    def rows(self, data: np.ndarray, tmp_path: Any) -> Rows:
        rows = self.make(data, tmp_path)
        assert len(rows.lengths) >= 3
        return rows

    def test_facts(self, rows: Rows, data: np.ndarray) -> None:
        assert rows.dtype == data.dtype
        assert rows.n_features == (1 if data.ndim == 1 else data.shape[1])
        named = self.names and data.ndim == 2
        assert rows.columns == (tuple(names_of(data)) if named else None)
        assert rows.row_nbytes == data.nbytes // len(data)
        assert isinstance(rows.in_process, bool)

    def test_lengths_add_up(self, rows: Rows, data: np.ndarray) -> None:
        assert rows.lengths.dtype == np.int64
        assert rows.n_rows in (None, len(data))
        blocks = blocks_of(rows.segment(0, len(rows.lengths)))
        assert len(blocks) == len(rows.lengths)
        for block, length in zip(blocks, rows.lengths, strict=True):
            assert length in (UNKNOWN, len(block))

    def test_blocks_are_the_data(self, rows: Rows, data: np.ndarray) -> None:
        blocks = blocks_of(rows.segment(0, len(rows.lengths)))
        assert all(isinstance(block, np.ndarray) for block in blocks)
        assert all(block.dtype == data.dtype and block.ndim == data.ndim for block in blocks)
        np.testing.assert_array_equal(np.concatenate(blocks), data)

    @pytest.mark.parametrize("size", [1, 3])
    def test_any_split_gives_the_same_rows(self, rows: Rows, data: np.ndarray, size: int) -> None:
        chunks = len(rows.lengths)
        parts = [
            block
            for first in range(0, chunks, size)
            for block in blocks_of(rows.segment(first, min(first + size, chunks)))
        ]
        np.testing.assert_array_equal(np.concatenate(parts), data)

    def test_segments_read_twice_and_out_of_order(self, rows: Rows, data: np.ndarray) -> None:
        last, first = rows.segment(1, len(rows.lengths)), rows.segment(0, 1)
        for _ in range(2):
            tail, head = blocks_of(last), blocks_of(first)
            np.testing.assert_array_equal(np.concatenate(head + tail), data)

    def test_empty_segment(self, rows: Rows) -> None:
        assert blocks_of(rows.segment(1, 1)) == []

    def test_segment_outside(self, rows: Rows) -> None:
        with pytest.raises(IndexError, match="chunks there are"):
            rows.segment(0, len(rows.lengths) + 1)

    def test_segment_pickles(self, rows: Rows) -> None:
        segment = rows.segment(1, 3)
        results = [future.result() for future in segment.dependencies]
        copy = pickle.loads(pickle.dumps(segment))
        assert len(copy.dependencies) == len(results)
        for here, there in zip(segment.stream(results), copy.stream(results), strict=True):
            np.testing.assert_array_equal(here, there)
