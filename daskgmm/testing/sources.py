"""Conformance tests for kinds of sources."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal, assert_raises

from daskgmm.arrays import Array
from daskgmm.errors import DataError, OutputError
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.planning import plan
from daskgmm.rows.kinds.dask_array import DaskArray
from daskgmm.rows.kinds.labelled import LabelledFile
from daskgmm.rows.kinds.memory import Memory
from daskgmm.rows.kinds.npy import Npy
from daskgmm.rows.kinds.parquet import ParquetFiles
from daskgmm.rows.kinds.zarr import StoredZarr
from daskgmm.rows.rows import UNKNOWN, Rows
from daskgmm.rows.source import Source
from daskgmm.rows.sources import SOURCES, Parts, source_of

N, D = 40_000, 4
"""Numbers of rows and columns: more than the 1 MiB that most kinds read at once."""


class SourceTests:
    """Tests of a kind of source.

    Attributes
    ----------
    kind : type of Source
        An entry of `SOURCES`.
    names : tuple of str or None
        Names of the D columns, if columns of this kind have names.
    """

    kind: type[Source]
    names: tuple[str, ...] | None = None

    def make(self, data: Array, folder: Path) -> Any:
        """Return an X as users give it, with the given data (N, D)."""
        raise NotImplementedError

    def make_weights(self, weights: Array, folder: Path) -> Any:
        """Return weights (N,) as users give them in this kind; None if there is no such form.

        By default they are data of one column, where columns have no names.
        """
        return None if self.names else self.make(weights[:, None], folder)

    def data(self) -> Array:
        """Return two clusters of rows."""
        random = np.random.default_rng(0)
        data: Array = random.normal(size=(N, D)) + 8.0 * random.integers(2, size=(N, 1))
        return data

    def source(self, folder: Path) -> Source:
        """Return the data as a source."""
        return source_of(self.make(self.data(), folder))

    def test_it_is_found_in_the_table(self, tmp_path: Path) -> None:
        """The table finds this kind and no other."""
        assert self.kind in SOURCES
        assert type(self.source(tmp_path)) is self.kind

    def test_it_takes_nothing_of_other_kinds(self) -> None:
        """Paths and arrays of the kinds that come with daskgmm are still of these kinds."""
        array, lazy = np.zeros((2, D)), da.zeros((2, D))
        of_paths = {"npy": Npy, "parquet": ParquetFiles, "nc": LabelledFile, "zarr": StoredZarr}
        for ending, kind in of_paths.items():
            for path in (f"x.{ending}", Path("x", f"y.{ending}")):
                assert type(source_of(path)) is kind
        for x, kind in ((array, Memory), (lazy, DaskArray), ([array, lazy], Parts)):
            assert type(source_of(x)) is kind

    def test_rows_say_what_they_are(self, tmp_path: Path) -> None:
        """Rows have the type, the columns and the lengths of their chunks."""
        rows = self.source(tmp_path).rows()
        assert rows.dtype == np.dtype(np.float64)
        assert (rows.n_features, rows.columns) == (D, self.names)
        assert rows.lengths.dtype == np.int64
        assert rows.n_rows in (None, N)
        for chunk, length in enumerate(rows.lengths):
            assert length in (UNKNOWN, sum(map(len, blocks_of(rows, chunk, chunk + 1))))

    def test_segments_are_the_whole_however_it_is_cut(self, tmp_path: Path) -> None:
        """Segments of any size, read in any order and twice, are all rows."""
        rows, data = self.source(tmp_path).rows(), self.data()
        chunks = len(rows.lengths)
        for size in (1, 2, chunks):
            starts = range(0, chunks, size)
            parts = {first: blocks_of(rows, first, first + size) for first in reversed(starts)}
            blocks = [block for first in starts for block in parts[first]]
            assert all(block.dtype == np.float64 and block.ndim == 2 for block in blocks)
            assert_array_equal(np.concatenate(blocks), data)
        assert blocks_of(rows, 0, 0) == []

    def test_segments_travel(self, tmp_path: Path) -> None:
        """A pickled segment reads the same rows, with or without retries."""
        rows = self.source(tmp_path).rows()
        segment = pickle.loads(pickle.dumps(rows.segment(0, len(rows.lengths))))
        for retries in (0, 2):
            assert_array_equal(np.concatenate(list(segment.stream(retries=retries))), self.data())

    def test_columns_are_chosen_by_name(self, tmp_path: Path) -> None:
        """Columns come in the order of the names; one of them may be the weights."""
        if self.names is None:
            return
        source, data = self.source(tmp_path), self.data()
        wanted = self.names[::-1]
        for rows in (source.rows(wanted), source.rows().select(wanted)):
            assert rows.columns == wanted
            assert_array_equal(values_of(rows), data[:, ::-1])
        rows = source.rows()
        assert set(self.names) <= set(rows.all_columns)
        weights = source_of(self.names[1]).weights(rows)
        assert_array_equal(weights.lengths, rows.lengths)
        assert_array_equal(values_of(weights), data[:, 1])

    def test_weights_are_cut_as_the_rows_are(self, tmp_path: Path) -> None:
        """Weights have the chunks of the rows, if the number of rows is known."""
        rows, entries = self.source(tmp_path).rows(), np.arange(N, dtype=np.float64)
        if rows.n_rows is None:
            return
        weights = source_of(entries).weights(rows)
        assert_array_equal(weights.lengths, rows.lengths)
        assert_array_equal(values_of(weights), entries)

    def test_it_is_taken_as_weights(self, tmp_path: Path) -> None:
        """Weights of this kind go with rows of this kind; several columns are no weights."""
        source, expected = self.source(tmp_path), np.arange(N, dtype=np.float64)
        rows = source.rows()
        with assert_raises(DataError):
            source.as_weights(rows)
        (tmp_path / "weights").mkdir()
        given = self.make_weights(expected, tmp_path / "weights")
        if given is not None:
            weights = source_of(given).weights(rows)
            assert_array_equal(weights.lengths, rows.lengths)
            assert_array_equal(values_of(weights), expected)

    def test_predictions_are_not_written_over_it(self, tmp_path: Path) -> None:
        """A target in which the data are is refused, and they stay."""
        target, data = tmp_path / "p.zarr", self.data()
        mixture = GaussianMixture(1).fit(data)
        mixture.predict_to_zarr(data[:10], target)
        empty = set(target.rglob("*"))
        x = self.make(data, target)
        if set(target.rglob("*")) == empty:
            return
        with assert_raises(OutputError):
            mixture.predict_to_zarr(x, target, overwrite=True)
        assert_array_equal(values_of(source_of(x).rows()), data)

    def test_a_lazy_array_holds_the_rows(self, tmp_path: Path) -> None:
        """A lazy array has all rows; sources in memory have none."""
        lazy = self.source(tmp_path).lazy(self.names)
        if lazy is not None:
            assert_array_equal(lazy.compute(), self.data())

    def test_where_rows_are_from_is_a_text(self, tmp_path: Path) -> None:
        """The origin, which messages and model files show, is a text or None."""
        source = self.source(tmp_path)
        assert source.origin is None or isinstance(source.origin, str)
        assert source.path is None or source.origin == source.path

    def test_it_is_planned_fitted_and_predicted(self, tmp_path: Path) -> None:
        """Fits and predictions agree with those of the same rows in memory."""
        data = self.data()
        x = self.make(data, tmp_path)
        assert plan(x, 2).batches > 0
        mixture, of_array = (GaussianMixture(2, random_state=0).fit(rows) for rows in (x, data))
        means, expected = (np.sort(fitted.means_, axis=0) for fitted in (mixture, of_array))
        assert_allclose(means, expected, atol=1e-2)
        assert mixture.n_features_in_ == D
        for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
            setattr(of_array, name, getattr(mixture, name))
        assert_allclose(mixture.score(x), of_array.score(data))
        for method in ("predict", "predict_proba", "score_samples"):
            predictions = np.asarray(getattr(mixture, method)(x))
            assert_allclose(predictions, getattr(of_array, method)(data), rtol=1e-9, atol=1e-12)


def blocks_of(rows: Rows, first: int, stop: int) -> Sequence[Array]:
    """Return the blocks of the chunks first to stop - 1."""
    return list(rows.segment(first, min(stop, len(rows.lengths))).stream())


def values_of(rows: Rows) -> Array:
    """Return all rows or weights as one array."""
    return np.concatenate(blocks_of(rows, 0, len(rows.lengths)))
