import os
import pickle
import sys

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daskgmm.companions import ALONE
from daskgmm.errors import DataError, SourceError
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.plan import Needs, task_nbytes
from daskgmm.rows.opening import as_rows
from daskgmm.rows.parquet import segment as parquet_segment
from daskgmm.rows.parquet.files import is_parquet
from daskgmm.rows.parquet.rows import ParquetRows, open_parquet
from daskgmm.rows.stores.zarr_array import ZarrRows
from daskgmm.rows.tables.arrow_columns import fill

from .conformance import RowsTests, blocks_of, names_of, read_all

DATA = np.random.default_rng(0).normal(size=(41, 3))


def table_of(data, *, nullable=True):
    columns = data[:, None] if data.ndim == 1 else data
    fields = [(name, pa.from_numpy_dtype(data.dtype)) for name in names_of(data)]
    schema = pa.schema([pa.field(name, kind, nullable) for name, kind in fields])
    return pa.table([pa.array(column) for column in columns.T], schema=schema)


def opened(data, path):
    return open_parquet(path).column("c0") if data.ndim == 1 else open_parquet(path)


@pytest.fixture
def path(tmp_path):
    pq.write_table(table_of(DATA), tmp_path / "x.parquet", row_group_size=10)
    return tmp_path / "x.parquet"


class TestRowGroups(RowsTests):
    names = True

    def make(self, data, tmp_path):
        pq.write_table(table_of(data), tmp_path / "x.parquet", row_group_size=10)
        return opened(data, tmp_path / "x.parquet")


class TestRequiredColumns(RowsTests):
    names = True

    def make(self, data, tmp_path):
        table = table_of(data, nullable=False)
        pq.write_table(table, tmp_path / "x.pq", row_group_size=10, write_statistics=False)
        return opened(data, tmp_path / "x.pq")


class TestFiles(RowsTests):
    """A directory with parts that sort by number, an empty file and an empty row group."""

    names = True

    def make(self, data, tmp_path):
        table = table_of(data)
        for index, (start, stop) in enumerate([(0, 10), (10, 30), (30, 30), (30, 41)]):
            part = table.slice(start, stop - start)
            with pq.ParquetWriter(tmp_path / f"part.{8 + index}.parquet", table.schema) as writer:
                for piece in (part.slice(0, 7), part.slice(0, 0), part.slice(7)):
                    writer.write_table(piece)
        rows = opened(data, str(tmp_path))
        assert 0 in rows.lengths
        return rows


class TestURL(RowsTests):
    names = True

    def make(self, data, tmp_path):
        pq.write_table(table_of(data), tmp_path / "x.parquet", row_group_size=10)
        rows = opened(data, f"file://{tmp_path}/*.parquet")
        assert not rows.in_process
        return rows


class TestMemory(RowsTests):
    names = True

    def make(self, data, tmp_path):
        with fsspec.open("memory://rows/x.parquet", "wb") as file:
            pq.write_table(table_of(data), file, row_group_size=10)
        rows = opened(data, "memory://rows/x.parquet")
        assert rows.in_process
        return rows


@pytest.mark.parametrize(
    ("values", "kind", "dtype"),
    [
        ([1, None, 3], pa.int64(), "f8"),
        ([1, 2, 3], pa.int16(), "i2"),
        ([1, None, 3], pa.uint8(), "f8"),
        ([True, None, False], pa.bool_(), "f8"),
        ([True, True, False], pa.bool_(), "?"),
        ([1.5, None, float("nan")], pa.float32(), "f4"),
        ([2**62 + 1, None, 0], pa.int64(), "f8"),
        ([1, None, 3], pa.decimal128(9, 2), "f8"),
    ],
)
def test_types_and_nulls(tmp_path, values, kind, dtype):
    pq.write_table(pa.table({"a": pa.array(values, kind)}), tmp_path / "x.parquet")
    rows = open_parquet(tmp_path / "x.parquet")
    assert rows.dtype == dtype
    expected = [[np.nan if value is None else float(value)] for value in values]
    np.testing.assert_array_equal(read_all(rows).astype(float), expected)


def test_without_statistics_integers_may_be_missing(tmp_path):
    table = pa.table({"a": pa.array([1, 2], pa.int32())})
    pq.write_table(table, tmp_path / "x.parquet", write_statistics=False)
    assert open_parquet(tmp_path / "x.parquet").dtype == np.float64


@pytest.mark.parametrize(
    ("dtype", "values"), [("i8", [1.5]), ("u1", [300]), ("f4", [0.1]), ("f4", [2**24 + 1])]
)
def test_values_that_do_not_fit_what_was_announced(dtype, values):
    with pytest.raises(DataError, match=rf"'a' holds .* that do not fit {np.dtype(dtype)}"):
        fill(np.empty(1, dtype), pa.array(values), "a")


def test_types_are_joined_over_columns_and_files(tmp_path):
    for name, kinds in {"a": (pa.int8(), pa.float32()), "b": (pa.int16(), pa.float32())}.items():
        table = pa.table({"x": pa.array([1], kinds[0]), "y": pa.array([2], kinds[1])})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    assert open_parquet(tmp_path).dtype == np.float32
    assert open_parquet(tmp_path, ["x"]).dtype == np.int16


def test_columns_by_name_in_the_order_asked_for(path):
    rows = open_parquet(path, ["c2", "c0"])
    assert rows.columns == ("c2", "c0")
    assert rows.all_columns == ("c0", "c1", "c2")
    np.testing.assert_array_equal(read_all(rows), DATA[:, [2, 0]])
    np.testing.assert_array_equal(read_all(rows.select(["c1"])), DATA[:, [1]])
    np.testing.assert_array_equal(read_all(rows.column("c1")), DATA[:, 1])
    np.testing.assert_array_equal(read_all(rows.without("c2")), DATA[:, [0]])
    assert rows.without("c1") is rows
    with pytest.raises(DataError, match="No columns"):
        rows.without("c2").without("c0")


def test_columns_that_are_not_there(path):
    with pytest.raises(DataError, match=r"no column 'z'; it has 'c0', 'c1', 'c2'"):
        open_parquet(path, ["c0", "z"])
    with pytest.raises(DataError, match=r"'c0' .* named twice"):
        open_parquet(path, ["c0", "c0"])
    with pytest.raises(TypeError, match=r"columns=\['c0'\]"):
        open_parquet(path, "c0")


def test_columns_that_are_no_numbers(tmp_path):
    table = pa.table(
        {"a": [1.0], "name": ["x"], "b": [2], "kind": pa.array(["y"]).dictionary_encode()}
    )
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(
        DataError, match=r"'name' \(string\), 'kind' .*open_parquet\(path, \['a', 'b'\]\)"
    ):
        open_parquet(tmp_path / "x.parquet")
    assert open_parquet(tmp_path / "x.parquet", ["b", "a"]).n_features == 2
    with pytest.raises(DataError, match="not numbers"):
        open_parquet(tmp_path / "x.parquet", ["a", "name"])


def test_the_index_of_a_data_frame_is_no_feature(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0]}, index=[7, 9])
    frame.to_parquet(tmp_path / "x.parquet")
    rows = open_parquet(tmp_path / "x.parquet")
    assert rows.columns == ("a",)
    np.testing.assert_array_equal(read_all(rows.column("__index_level_0__")), [7, 9])


def test_files_that_differ(tmp_path):
    pq.write_table(pa.table({"a": [1.0], "b": [1.0]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": [1.0]}), tmp_path / "2.parquet")
    with pytest.raises(DataError, match=r"2\.parquet has no column 'b'"):
        open_parquet(tmp_path)
    with pytest.raises(DataError, match=r"2\.parquet has no column 'b'"):
        open_parquet(tmp_path, ["b"])
    with pytest.raises(DataError, match=r"2\.parquet has no column 'b'"):
        open_parquet([tmp_path / "2.parquet", tmp_path / "1.parquet"])
    np.testing.assert_array_equal(read_all(open_parquet(tmp_path, ["a"])), [[1], [1]])


def test_a_column_of_which_a_file_holds_no_value(tmp_path):
    """Of the type null, as Polars and pyarrow write it."""
    numbers, none = pa.table({"a": [1, 2], "b": ["x", "y"]}), pa.nulls(2)
    pq.write_table(numbers, tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": none, "b": none}), tmp_path / "2.parquet")
    pq.write_table(pa.table({"a": pa.nulls(0), "b": pa.nulls(0)}), tmp_path / "3.parquet")
    rows = open_parquet(tmp_path, ["a"])
    assert rows.dtype == np.float64
    np.testing.assert_array_equal(read_all(rows), [[1], [2], [np.nan], [np.nan]])
    rows = open_parquet([tmp_path / "3.parquet", tmp_path / "2.parquet"])
    np.testing.assert_array_equal(read_all(rows), np.full((2, 2), np.nan))
    with pytest.raises(DataError, match=r"1\.parquet has columns that are not .*'b' \(string\)"):
        open_parquet([tmp_path / "2.parquet", tmp_path / "1.parquet"])


def test_a_file_that_is_written_again_has_another_stamp(tmp_path):
    memory = fsspec.filesystem("memory")
    for url in (str(tmp_path / "x.parquet"), "memory://stamps/x.parquet"):
        stamps = []
        # The same footers but for the last one: values in another order.
        for values in ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [2.0, 1.0, 3.0], [1.0, 2.0, 4.0]):
            table = pa.table({"a": values})
            if "://" not in url:
                pq.write_table(table, url)
            else:
                with memory.open("stamps/x.parquet", "wb") as file:
                    pq.write_table(table, file)
            stamps.append(open_parquet(url).footers[0].version.stamp)
            assert open_parquet(url).footers[0].version.stamp == stamps[-1]
        assert len(set(stamps)) == 4
    memory.rm("stamps", recursive=True)


def test_blocks_are_small_whatever_the_row_groups(tmp_path, monkeypatch):
    data = np.random.default_rng(0).normal(size=(200_000, 4))
    pq.write_table(table_of(data), tmp_path / "x.parquet", row_group_size=200_000)
    rows = open_parquet(tmp_path / "x.parquet")
    assert rows.lengths.tolist() == [200_000]
    blocks = blocks_of(rows.segment(0, 1))
    assert len(blocks) == 7
    assert max(len(block) for block in blocks) == rows.block_rows == (1 << 20) // 32
    np.testing.assert_array_equal(np.concatenate(blocks), data)


@pytest.mark.slow
def test_memory_of_a_read_is_within_the_plan(tmp_path):
    data = np.random.default_rng(0).normal(size=(1_000_000, 6))
    pq.write_table(table_of(data), tmp_path / "x.parquet", row_group_size=len(data))
    rows = open_parquet(tmp_path / "x.parquet")
    before = pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() - before for _ in rows.segment(0, 1).stream())
    block = rows.block_rows * rows.row_nbytes
    assert block < most < rows.read_copies * block
    assert (
        task_nbytes(
            Dataset.of(rows, ALONE, 2, 3),
            Needs(n_components=2, n_statistics=3, n_features=2, max_passes=10),
        )
        < data.nbytes
    )


def test_footers_are_read_once_and_only_columns_asked_for(path, monkeypatch):
    asked = []
    opening, batches = pq.ParquetFile.__init__, pq.ParquetFile.iter_batches

    def counted(self, *args, **kwargs):
        asked.append("footer")
        opening(self, *args, **kwargs)

    def watched(self, *args, **kwargs):
        asked.append((kwargs["row_groups"], kwargs["columns"]))
        return batches(self, *args, **kwargs)

    monkeypatch.setattr(pq.ParquetFile, "__init__", counted)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", watched)
    rows = open_parquet(path, ["c1"])
    assert rows.n_rows == len(DATA)
    weights = rows.column("c2")
    assert asked == ["footer"]
    blocks_of(rows.segment(1, 3)), blocks_of(weights.segment(4, 5))
    assert asked[1:] == ["footer", ([1], ["c1"]), ([2], ["c1"]), "footer", ([4], ["c2"])]


def test_a_segment_pickles_small(tmp_path):
    data = np.ones((100_000, 10))
    pq.write_table(table_of(data), tmp_path / "x.parquet", row_group_size=1000)
    sent = pickle.dumps(open_parquet(tmp_path / "x.parquet").segment(0, 50))
    assert len(sent) < 2000
    assert sum(map(len, pickle.loads(sent).stream())) == 50_000


def failing(monkeypatch, times):
    """Let the second batch of a row group fail `times` times; return the log of reads."""
    whole, log = parquet_segment._batches, []

    def batches(file, group, *others):
        for index, batch in enumerate(whole(file, group, *others)):
            log.append((group, index))
            if (group, index) == (1, 1) and log.count((1, 1)) <= times:
                raise OSError("the store is busy")
            yield batch

    monkeypatch.setattr(parquet_segment, "_batches", batches)
    return log


def test_failed_reads_are_tried_again(path, monkeypatch):
    monkeypatch.setattr(parquet_segment, "BLOCK_BYTES", 4 * 24)
    monkeypatch.setattr("daskgmm.rows.retries.FIRST_WAIT", 0.0)
    rows = open_parquet(path)
    failing(monkeypatch, 2)
    blocks = list(rows.segment(0, 5).stream(retries=2))
    np.testing.assert_array_equal(np.concatenate(blocks), DATA)


def test_a_failed_read_says_where(path, monkeypatch):
    monkeypatch.setattr(parquet_segment, "BLOCK_BYTES", 4 * 24)
    monkeypatch.setattr("daskgmm.rows.retries.FIRST_WAIT", 0.0)
    rows = open_parquet(path, ["c0", "c2"])
    log = failing(monkeypatch, 100)
    with pytest.raises(SourceError, match=r"Row group 1 of .*x\.parquet, columns 'c0', 'c2',"):
        list(rows.segment(0, 5).stream(retries=1))
    assert log.count((1, 1)) == 2


def test_a_file_that_is_damaged_or_has_changed(path):
    rows = open_parquet(path)
    pq.write_table(table_of(DATA), path, row_group_size=20)
    with pytest.raises(DataError, match="has changed since it was opened"):
        read_all(rows)
    path.write_bytes(b"torn")
    with pytest.raises(SourceError, match=r"x\.parquet cannot be opened"):
        read_all(rows)
    with pytest.raises(SourceError, match=r"The footer of .*x\.parquet cannot be read"):
        open_parquet(path)


def write_table_at(url, table, second, **options):
    """Write a table, where an earlier one may be, as of some second."""
    with fsspec.open(url, "wb") as file:
        pq.write_table(table, file, **options)
    if "://" not in url:
        os.utime(url, (second, second))


@pytest.mark.parametrize(
    "values",
    [[1.5, 2.0, 3.0], [2.0, 1.0, 3.0], pa.array([1, 2, 3], pa.int32()), [1, 2, None]],
    ids=["others", "another order", "another type", "nulls"],
)
@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("place", ["disk", "store"])
def test_a_file_with_the_same_lengths_that_was_written_again(tmp_path, place, statistics, values):
    url = str(tmp_path / "x.parquet") if place == "disk" else "memory://again/x.parquet"
    write_table_at(url, pa.table({"a": [1.0, 2.0, 3.0]}), 1, write_statistics=statistics)
    rows = open_parquet(url)
    assert len(read_all(rows)) == 3
    write_table_at(url, pa.table({"a": values}), 2, write_statistics=statistics)
    with pytest.raises(DataError, match="has changed since it was opened"):
        read_all(rows)
    with pytest.raises(DataError, match="has changed since it was opened"):
        read_all(rows.column("a"))


@pytest.mark.parametrize("statistics", [True, False])
def test_a_copy_on_another_machine_may_have_another_time(tmp_path, monkeypatch, statistics):
    path, table = tmp_path / "x.parquet", pa.table({"a": [1.0, 2.0, 3.0]})
    pq.write_table(table, path, write_statistics=statistics)
    rows = open_parquet(path)
    os.utime(path, (0, 0))
    with pytest.raises(DataError, match="has changed since it was opened"):
        read_all(rows)
    monkeypatch.setattr("daskgmm.rows.parquet.version.node", lambda: "another")
    if statistics:
        assert len(read_all(rows)) == 3
        pq.write_table(pa.table({"a": [1.0, 2.5, 4.0]}), path)
    with pytest.raises(DataError, match="has changed since it was opened"):
        read_all(rows)


def test_what_is_a_parquet_path(path, tmp_path, monkeypatch):
    import zarr

    zarr.create_array(tmp_path / "z.parquet", data=DATA)
    (tmp_path / "deep" / "year=1").mkdir(parents=True)
    path.rename(tmp_path / "deep" / "year=1" / "x.parquet")
    path = tmp_path / "deep" / "year=1" / "x.parquet"
    monkeypatch.chdir(tmp_path)
    for given in (path, str(path), "deep", "deep/", "deep/*/*.parquet", f"file://{path}"):
        rows = as_rows(given)
        assert isinstance(rows, ParquetRows)
        assert rows.n_rows == len(DATA)
    assert isinstance(as_rows("z.parquet"), ZarrRows)
    assert as_rows([path, path]).columns == ("c0", "c1", "c2")
    assert as_rows([path, path], columns=["c1"]).n_features == 1
    assert open_parquet([path, "deep"]).n_rows == 2 * len(DATA)
    assert not is_parquet("s3://bucket/x.zarr")
    assert is_parquet("s3://bucket/table.parquet/")


def test_hidden_files_are_no_data(path, tmp_path):
    (tmp_path / "_metadata.parquet").write_bytes(b"")
    (tmp_path / ".x.parquet").write_bytes(b"")
    assert open_parquet(tmp_path).n_rows == len(DATA)


@pytest.mark.parametrize("name", ["nothing.parquet", "nothing/*.parquet", "memory://nothing.pq"])
def test_missing(tmp_path, name):
    given = name if "://" in name else tmp_path / name
    with pytest.raises(SourceError, match="does not exist, or holds no Parquet"):
        as_rows(given)


def test_no_way_to_the_store():
    with pytest.raises(SourceError, match="cannot be opened"):
        open_parquet("nonsense://x.parquet")
    with pytest.raises(SourceError, match="at least one"):
        open_parquet([])


def test_without_pyarrow(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SourceError, match=r"pip install 'daskgmm\[parquet\]'"):
        open_parquet(path)


def test_options_stay_out_of_sight(path):
    rows = open_parquet(f"file://{path}", storage_options={"auto_mkdir": False})
    assert "auto_mkdir" not in repr(rows.segment(0, 1))
    assert rows.n_rows == len(DATA)


def test_parts_of_a_list_have_their_columns_in_one_order(path, tmp_path):
    other = table_of(DATA).select(["c2", "c1", "c0"])
    pq.write_table(other, tmp_path / "y.parquet")
    rows = as_rows([path, tmp_path / "y.parquet"])
    np.testing.assert_array_equal(read_all(rows), np.concatenate([DATA, DATA]))
    np.testing.assert_array_equal(read_all(rows.column("c1")), np.tile(DATA[:, 1], 2))
    pq.write_table(other.rename_columns(["c2", "c1", "z"]), tmp_path / "y.parquet")
    with pytest.raises(DataError, match="Element 1 has a column 'z'"):
        as_rows([path, tmp_path / "y.parquet"])
    assert as_rows([path, DATA]).columns is None
