import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pytest

from daskgmm.companions import Companions
from daskgmm.errors import DataError
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.companions.weights import split_companions, weights_for
from daskgmm.rows.lazy.dask_array import DaskRows
from daskgmm.rows.opening import as_rows
from daskgmm.rows.rows import UNKNOWN
from daskgmm.rows.tables.pandas_columns import partition_array

from .conformance import RowsTests, blocks_of, names_of, read_all

DATA = np.random.default_rng(0).normal(size=(41, 3))


def frame_of(data):
    return pd.DataFrame(data[:, None] if data.ndim == 1 else data, columns=names_of(data))


class TestDask(RowsTests):
    names = True

    def make(self, data, tmp_path):
        rows = as_rows(dd.from_pandas(frame_of(data), npartitions=4))
        assert type(rows) is DaskRows
        return rows.column("c0") if data.ndim == 1 else rows


class TestDaskWithEmptyPartitions(RowsTests):
    names = True

    def make(self, data, tmp_path):
        padded = pd.concat([frame_of(data[:20]), frame_of(data[:20]), frame_of(data[20:])])
        padded["kept"] = (np.arange(61) < 20) | (np.arange(61) >= 40)
        frame = dd.from_pandas(padded.reset_index(drop=True), npartitions=12)
        rows = as_rows(frame[frame["kept"]][names_of(data)])
        assert not all(map(len, blocks_of(rows.segment(0, 12))))
        return rows.column("c0") if data.ndim == 1 else rows


class TestPolars(RowsTests):
    names = True

    def make(self, data, tmp_path):
        rows = as_rows(
            pl.DataFrame({name: frame_of(data)[name].to_numpy() for name in names_of(data)})
        )
        assert type(rows) is ArrayRows
        rows = ArrayRows(rows._array, [20, 0, 20, 1], rows.columns)
        return rows.column("c0") if data.ndim == 1 else rows


def test_lengths_are_unknown_and_names_known():
    rows = as_rows(dd.from_pandas(frame_of(DATA), npartitions=3))
    assert rows.lengths.tolist() == [UNKNOWN] * 3
    assert rows.columns == rows.all_columns == ("c0", "c1", "c2")
    chosen = as_rows(dd.from_pandas(frame_of(DATA), npartitions=3), columns=["c2", "c0"])
    np.testing.assert_array_equal(read_all(chosen), DATA[:, [2, 0]])
    np.testing.assert_array_equal(read_all(rows.select(["c1", "c0"])), DATA[:, [1, 0]])
    assert rows.select(["c0", "c1", "c2"]) is rows


def test_nothing_is_computed_before_rows_are_read(monkeypatch):
    frame = dd.from_pandas(frame_of(DATA), npartitions=3)

    def refused(*args, **kwargs):
        raise AssertionError("computed")

    with dask.config.set(scheduler=refused):
        as_rows(frame)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("Int64", "f8"),
        ("boolean", "f8"),
        ("Float32", "f4"),
        ("Float64", "f8"),
        ("int8[pyarrow]", "f8"),
        ("float[pyarrow]", "f4"),
        ("bool[pyarrow]", "f8"),
        ("Sparse[float64]", "f8"),
        ("float32", "f4"),
        ("int16", "i2"),
    ],
)
def test_nullable_types(dtype, expected):
    missing = dtype not in ("float32", "int16")
    values = pd.Series([1, None if missing else 0, 0, 1], dtype=dtype)
    rows = as_rows(dd.from_pandas(pd.DataFrame({"a": values}), npartitions=2))
    assert rows.dtype == expected
    np.testing.assert_array_equal(read_all(rows), [[1], [np.nan if missing else 0], [0], [1]])


def frame_of_parts(*parts):
    """Return a lazy frame that says of all its partitions what is right for the first."""
    return dd.from_map(lambda index: parts[index], range(len(parts)), meta=parts[0][:0])


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("int64", [1, 2], [3.0, np.nan]),
        ("int32", [1, 2], [1.5, -2.5]),
        ("uint8", [1, 2], [300, -1]),
        ("bool", [True, False], [1.0, np.nan]),
        ("int64", [1, 2], pd.array([3, None], dtype="Int64")),
        ("float32", [1.0, 2.0], [0.5, np.nan]),
        ("float64", [1.0, 2.0], pd.to_datetime([])),
    ],
)
def test_a_partition_of_another_type_than_the_frame_says(kind, first, second):
    parts = pd.DataFrame({"a": first}).astype(kind), pd.DataFrame({"a": second})
    frame = frame_of_parts(*parts)
    expected = [*map(float, first), *pd.Series(second).to_numpy(float, na_value=np.nan)]
    rows = as_rows(frame)
    assert rows.dtype == (np.float32 if kind == "float32" else np.float64)
    np.testing.assert_array_equal(read_all(rows)[:, 0], expected)
    weights = weights_for(rows, frame["a"])
    np.testing.assert_array_equal(read_all(weights), expected)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("float32", [0.1, 1.0], "float64 values that do not fit float32"),
        ("float32", [2**24 + 1, 1], "int64 values that do not fit float32"),
        ("float32", [1e300, 1.0], r"astype\(\{'a': 'float64'\}\)"),
        ("int64", pd.to_datetime(["2020", "2021"]), "datetime64.* not a number"),
        ("float64", pd.to_timedelta([1, 2]), "timedelta64.* not a number"),
        ("float64", pd.Series(["x", "y"]), "not a number"),
        ("float64", [1j, 2j], "complex128 .* not a number"),
    ],
)
def test_a_partition_that_does_not_fit_what_the_frame_says(kind, values, message):
    frame = frame_of_parts(pd.DataFrame({"a": [1, 2]}).astype(kind), pd.DataFrame({"a": values}))
    with pytest.raises(DataError, match=f"Column 'a' of a partition .*{message}"):
        read_all(as_rows(frame))


def test_columns_of_partitions_are_taken_by_name():
    first, second = pd.DataFrame({"a": [1.0], "b": [2.0]}), pd.DataFrame({"b": [4.0], "a": [3.0]})
    np.testing.assert_array_equal(
        read_all(as_rows(frame_of_parts(first, second))), [[1, 2], [3, 4]]
    )
    other = frame_of_parts(first, second.rename(columns={"a": "c"}))
    with pytest.raises(DataError, match=r"columns \['b', 'c'\], .* says \['a', 'b'\]"):
        read_all(as_rows(other))


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(["x", "y"]),
        pd.Series(["x", "y"], dtype="category"),
        pd.Series([1, 2], dtype="category"),
        pd.Series(pd.to_datetime(["2020", "2021"])),
        pd.Series([1j, 2j]),
        pd.Series(pd.interval_range(0, 2)),
    ],
    ids=lambda values: str(values.dtype),
)
def test_columns_that_are_no_numbers(values):
    frame = pd.DataFrame({"a": [1.0, 2.0], "other": values})
    lazy = dd.from_pandas(frame, npartitions=1)
    with pytest.raises(DataError, match=r"'other' .*: X\.drop\(columns=\['other'\]\)"):
        as_rows(lazy)
    assert as_rows(lazy, columns=["a"]).n_features == 1


def test_names_that_are_no_strings():
    rows = as_rows(dd.from_pandas(pd.DataFrame(DATA), npartitions=2))
    assert rows.columns is None
    np.testing.assert_array_equal(read_all(rows), DATA)


def test_files_that_are_read_together(tmp_path):
    wide = pd.DataFrame(np.arange(8000.0).reshape(400, 20), columns=[f"c{i}" for i in range(20)])
    for start in range(0, 400, 10):
        wide[start : start + 10].to_parquet(tmp_path / f"part.{start}.parquet")
    frame = dd.read_parquet(tmp_path)[["c1", "c2", "c7"]]
    rows, beside = split_companions(as_rows(frame), Companions("c7"))
    weights = beside.weights
    assert len(rows.lengths) == len(weights.lengths) < 40
    np.testing.assert_array_equal(read_all(rows), wide[["c1", "c2"]])
    np.testing.assert_array_equal(read_all(weights), wide["c7"])


def test_series():
    frame = dd.from_pandas(frame_of(DATA), npartitions=3)
    with pytest.raises(DataError, match="Dask series"):
        as_rows(frame["c0"])
    rows = as_rows(frame[["c1"]])
    np.testing.assert_array_equal(read_all(weights_for(rows, frame["c0"])), DATA[:, 0])
    with pytest.raises(DataError, match="give one column"):
        weights_for(rows, frame)


def test_polars_types():
    frame = pl.DataFrame(
        {
            "a": [1, None, 3],
            "b": pl.Series([1.5, 2.5, None], dtype=pl.Float32),
            "c": [True, False, None],
        }
    )
    rows = as_rows(frame)
    assert rows.dtype == np.float64
    nan = np.nan
    np.testing.assert_array_equal(read_all(rows), [[1, 1.5, 1], [nan, 2.5, 0], [3, nan, nan]])
    assert as_rows(frame, columns=["b"]).dtype == np.float32
    with pytest.raises(DataError, match=r"'s' .*Leave them out: X\.drop\(\['s'\]\)"):
        as_rows(pl.DataFrame({"a": [1], "s": ["x"]}))
    with pytest.raises(DataError, match="no column 'z'"):
        as_rows(frame, columns=["z"])
    with pytest.raises(DataError, match="no columns"):
        as_rows(pl.DataFrame())


def test_polars_in_several_chunks():
    frame = pl.DataFrame({"a": DATA[:, 0], "b": DATA[:, 1]})
    joined = pl.concat([frame[:10], frame[10:]], rechunk=False)
    np.testing.assert_array_equal(read_all(as_rows(joined)), DATA[:, :2])


def test_lazy_polars():
    with pytest.raises(TypeError, match=r"collect\(\).*sink_parquet"):
        as_rows(pl.DataFrame({"a": [1.0]}).lazy())


def test_weights_by_name():
    rows = as_rows(pl.DataFrame({"a": DATA[:, 0], "n": DATA[:, 1]}))
    left, beside = split_companions(rows, Companions("n"))
    weights = beside.weights
    assert left.columns == ("a",)
    np.testing.assert_array_equal(read_all(weights), DATA[:, 1])
    np.testing.assert_array_equal(read_all(weights_for(rows, "n")), DATA[:, 1])
    assert split_companions(rows, Companions(np.ones(41)))[0] is rows


@pytest.mark.parametrize("kind", ["null[pyarrow]", "decimal128(4, 1)[pyarrow]"])
def test_partitions_of_types_whose_values_are_numbers(kind):
    pyarrow = pytest.importorskip("pyarrow")
    values = pd.Series([1.5, 2.5])
    column = {
        "null[pyarrow]": lambda: pd.Series([None, None], dtype=pd.ArrowDtype(pyarrow.null())),
    }.get(kind, lambda: values.astype(pd.ArrowDtype(pyarrow.decimal128(4, 1))))()
    found = partition_array(pd.DataFrame({"a": column}), np.dtype(np.float64))[:, 0]
    np.testing.assert_array_equal(found, [np.nan] * 2 if kind.startswith("null") else values)
