"""Columns of lists of numbers, as of embeddings, are matrices."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from daskgmm import GaussianMixture
from daskgmm.companions import ALONE
from daskgmm.errors import DataError
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.plan import Needs, task_nbytes
from daskgmm.rows.opening import as_rows
from daskgmm.rows.parquet.rows import open_parquet

from .conformance import RowsTests, blocks_of, read_all

X = np.random.default_rng(0).normal(size=(41, 4)).astype("f4")
IDS = np.arange(41, dtype="f4")


def lists_of(x, kind):
    if kind == "fixed":
        return pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), x.shape[1])
    if kind == "tensor":
        tensor = x.reshape(len(x), 2, -1) if x.shape[1] % 2 == 0 else x
        return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(tensor))
    value_type = pa.from_numpy_dtype(x.dtype)
    of = {"list": pa.list_, "large": pa.large_list}[kind]
    return pa.array(list(x), of(value_type))


KINDS = ["fixed", "list", "large", "tensor"]


@pytest.fixture(params=KINDS)
def path(request, tmp_path):
    table = pa.table({"id": IDS, "emb": lists_of(X, request.param), "text": ["x"] * 41})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=10)
    return tmp_path / "x.parquet"


class TestLists(RowsTests):
    """A list of all columns, which are called by their names one by one."""

    def make(self, data, tmp_path):
        if data.ndim == 1:
            table = pa.table({"w": data, "emb": lists_of(data[:, None], "list")})
            pq.write_table(table, tmp_path / "x.parquet", row_group_size=10)
            return open_parquet(tmp_path / "x.parquet").column("w")
        pq.write_table(
            pa.table({"c": lists_of(data, "list")}), tmp_path / "x.parquet", row_group_size=10
        )
        rows = open_parquet(tmp_path / "x.parquet")
        assert rows.columns == tuple(f"c[{index}]" for index in range(data.shape[1]))
        rows.columns = None
        return rows


def test_a_list_is_as_many_features_as_it_has_numbers(path):
    rows = open_parquet(path, ["emb"])
    assert rows.columns == ("emb[0]", "emb[1]", "emb[2]", "emb[3]")
    assert rows.lengths.tolist() == [10, 10, 10, 10, 1]
    assert rows.dtype == np.float32
    assert_array_equal(read_all(rows), X)


def test_lists_beside_numbers(path):
    rows = open_parquet(path, ["emb", "id"])
    assert_array_equal(read_all(rows), np.column_stack([X, IDS]))
    rows = open_parquet(path, ["id", "emb"])
    assert_array_equal(read_all(rows), np.column_stack([IDS, X]))
    assert rows.columns[:2] == ("id", "emb[0]")
    assert_array_equal(read_all(rows.without("id")), X)
    assert_array_equal(read_all(rows.column("id")), IDS)
    with pytest.raises(DataError, match=r"'emb'.* holds lists, and a weight is one number"):
        rows.column("emb")


def test_elements_by_the_names_of_a_fit(path, tmp_path):
    rows = open_parquet(path, ["id"])
    names = [f"emb[{index}]" for index in range(4)]
    assert_array_equal(read_all(rows.select(names)), X)
    assert_array_equal(read_all(as_rows([path, path], columns=[*names, "id"]))[41:, :4], X)
    for wrong in (names[1:], names[::-1], [*names, "id", "emb[4]"], [*names, *names]):
        with pytest.raises(DataError, match=r"element of the lists in column 'emb'.* taken whole"):
            rows.select(wrong)
    with pytest.raises(
        DataError, match=r"lists of 4 numbers.* emb\[0\] to emb\[2\] alone are asked"
    ):
        rows.select(names[:3])
    # Nobody need have fitted anything.
    with pytest.raises(DataError, match=r"emb\[0\] alone is asked for. Name 'emb', or write"):
        open_parquet(path, ["emb[0]"])
    with pytest.raises(DataError, match=r"'emb' .* named twice"):
        rows.select(["emb", "emb"])
    table = pa.table({"emb[0]": [1.0, 2.0], "emb": lists_of(X[:2], "list")})
    pq.write_table(table, tmp_path / "y.parquet")
    assert_array_equal(read_all(open_parquet(tmp_path / "y.parquet", ["emb[0]"])), [[1], [2]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", ["parquet", "polars"])
def test_fits_and_predictions_are_those_of_the_matrix(tmp_path, kind, source):
    random = np.random.default_rng(1)
    x = random.normal(size=(600, 4)) + 9 * random.integers(0, 2, (600, 1))
    table = pa.table({"key": [f"row {i}" for i in range(600)], "emb": lists_of(x, kind)})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=100)
    path = str(tmp_path / "x.parquet")
    of_matrix = GaussianMixture(2, random_state=0).fit(x)
    if source == "parquet":
        lists, whole = open_parquet(path, ["emb"]), path
    else:
        storage = table["emb"].combine_chunks()
        plain = table.set_column(1, "emb", getattr(storage, "storage", storage))
        whole = pl.from_arrow(plain)
        lists = whole.select("emb")
    mixture = GaussianMixture(2, random_state=0).fit(lists)
    assert_array_equal(mixture.means_, of_matrix.means_)
    assert list(mixture.feature_names_in_) == [f"emb[{i}]" for i in range(4)]
    labels = of_matrix.predict(x)
    assert_array_equal(np.asarray(mixture.predict(whole)), labels)
    assert mixture.score(whole) == pytest.approx(of_matrix.score(x), rel=1e-12)
    mixture.predict_to_parquet(whole, tmp_path / "out", key=["key", "emb"])
    found = pq.read_table(tmp_path / "out")
    assert_array_equal(found["label"], labels)
    assert found["key"].to_pylist() == table["key"].to_pylist()
    assert found["emb"].to_pylist() == table["emb"].to_pylist()


@pytest.mark.parametrize("kind", [pa.list_(pa.int32()), pa.list_(pa.int32(), 2)])
def test_nulls_in_lists_are_missing_values(tmp_path, kind):
    table = pa.table({"emb": pa.array([[1, None], [3, 4], [5, 7], [9, 8]], kind)})
    pq.write_table(table, tmp_path / "x.parquet")
    rows = open_parquet(tmp_path / "x.parquet")
    assert rows.dtype == np.float64
    assert_array_equal(read_all(rows), [[1, np.nan], [3, 4], [5, 7], [9, 8]])
    frame = pl.from_arrow(table)
    assert_array_equal(read_all(as_rows(frame)), read_all(rows))
    for x in (rows, frame):
        with pytest.raises(DataError, match=r"NaN in row 0.*'emb\[1\]'"):
            GaussianMixture(1).fit(x)
        mixture = GaussianMixture(1, missing="drop").fit(x)
        np.testing.assert_allclose(mixture.means_, [[17 / 3, 19 / 3]])
    whole = pa.table({"emb": pa.array([[1, 2], [3, 4]], kind)})
    pq.write_table(whole, tmp_path / "whole.parquet")
    assert open_parquet(tmp_path / "whole.parquet").dtype == np.int32


ODD = {
    "shorter": ([[1.0, 2, 3], [4, 5, 6], [7, 8]], 2, "a list of 2"),
    "longer, found by the mean": ([[1.0, 2, 3], [4, 5, 6, 7], [8, 9]], 1, "a list of 4"),
    "empty": ([[1.0, 2, 3], [], [4, 5, 6]], 1, "a list of 0"),
    "null": ([[1.0, 2, 3], [4, 5, 6], None], 2, "a null"),
    "null, counted as one number": ([[1.0], None, [2.0]], 1, "a null"),
    "null first": ([None, [1.0, 2, 3], [4, 5, 6]], 0, "a null"),
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("before", [0, 4])
def test_the_row_of_a_list_of_another_length_is_named(tmp_path, case, before):
    lists, row, what = ODD[case]
    usual = [1.0] * max(len(each) for each in lists if each is not None and len(each) != 4)
    table = pa.table({"emb": [usual] * before + lists, "b": range(before + 3)})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=2 if before else 3)
    where = rf"'emb' holds {what} in row {before + row} of .*x\.parquet"
    with pytest.raises(DataError, match=where):
        read_all(open_parquet(tmp_path / "x.parquet", ["emb"]))
    assert open_parquet(tmp_path / "x.parquet", ["b"]).n_rows == before + 3
    with pytest.raises(DataError, match=rf"'emb' holds {what} in row {before + row} of X"):
        as_rows(pl.from_arrow(table))


def test_lengths_that_footers_tell_are_refused_at_opening(tmp_path):
    pq.write_table(pa.table({"emb": [[1.0, 2.0]] * 3}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"emb": [[1.0, 2.0, 3.0]] * 3}), tmp_path / "2.parquet")
    with pytest.raises(DataError, match=r"a list of 3 in row 0 of .*2\.parquet, and lists of 2"):
        open_parquet(tmp_path)
    pq.write_table(pa.table({"emb": lists_of(X, "fixed")}), tmp_path / "2.parquet")
    with pytest.raises(DataError, match=r"'emb' holds a list of 2 in row 0 of .*1\.parquet"):
        open_parquet(tmp_path)
    pq.write_table(pa.table({"emb": [1.0, 2.0]}), tmp_path / "2.parquet")
    for paths in (["1", "2"], ["2", "1"]):
        with pytest.raises(DataError, match=r"Column 'emb' is .* and .*; give files that agree"):
            open_parquet([tmp_path / f"{name}.parquet" for name in paths])


@pytest.mark.parametrize(
    ("first", "what"),
    [([None, None], "a null"), ([[], []], "a list of 0"), ([None, [1.0] * 4], "a null")],
    ids=["nulls", "empty", "null and list"],
)
def test_a_first_row_group_that_tells_another_length(tmp_path, first, what):
    lists = pa.array([*first, *[[1.0] * 4] * 4], pa.list_(pa.float64()))
    table = pa.table({"emb": lists})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=2)
    with pytest.raises(DataError, match=rf"holds {what} in row 0 of .*, and lists of 4 numbers"):
        open_parquet(tmp_path)
    with pytest.raises(DataError, match=rf"holds {what} in row 0 of X, and lists of 4 numbers"):
        as_rows(pl.from_arrow(table))


def test_files_without_rows(tmp_path):
    empty = pa.table({"emb": pa.array([], pa.list_(pa.float32()))})
    pq.write_table(empty, tmp_path / "0.parquet")
    with pytest.raises(DataError, match="no rows, so nothing says how many"):
        open_parquet(tmp_path)
    assert read_all(open_parquet(tmp_path, ["emb[0]", "emb[1]"])).shape == (0, 2)
    pq.write_table(pa.table({"emb": lists_of(X, "list")}), tmp_path / "1.parquet")
    assert_array_equal(read_all(open_parquet(tmp_path)), X)


def test_lists_of_what_is_no_number(tmp_path):
    table = pa.table(
        {"a": [1.0], "tags": [["x", "y"]], "deep": [[[1.0], [2.0]]], "b": [{"c": [1.0]}]}
    )
    pq.write_table(table, tmp_path / "x.parquet")
    for name in ("tags", "deep", "b"):
        with pytest.raises(DataError, match=f"not numbers: '{name}'"):
            open_parquet(tmp_path / "x.parquet", ["a", name])
    with pytest.raises(DataError, match="not numbers: 'tags'"):
        as_rows(pl.from_arrow(table.select(["a", "tags"])))


def test_leaves_of_columns_that_stand_before_a_list(tmp_path):
    """Statistics and counts are stored for each leaf, and columns may have several or dots."""
    table = pa.table(
        {
            "s": [{"p": 1, "q": [1, 2, 3]}] * 4,
            "emb.x": [1, None, 3, 4],
            "m": pa.array([[("k", 1)]] * 4, pa.map_(pa.string(), pa.int64())),
            "emb": pa.array([[1, 2]] * 4, pa.list_(pa.int64())),
            "n": [1, 2, 3, 4],
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    rows = open_parquet(tmp_path / "x.parquet", ["emb", "n"])
    assert rows.dtype == np.int64
    assert_array_equal(read_all(rows), [[1, 2, n] for n in (1, 2, 3, 4)])
    assert open_parquet(tmp_path / "x.parquet", ["emb.x"]).dtype == np.float64


@pytest.mark.slow
def test_memory_of_long_lists_is_within_the_plan(tmp_path):
    data = np.random.default_rng(0).normal(size=(20_000, 300)).astype("f4")
    table = pa.table({"emb": lists_of(data, "fixed")})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=len(data))
    rows = open_parquet(tmp_path / "x.parquet")
    before = pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() - before for _ in rows.segment(0, 1).stream())
    block = rows.block_rows * rows.row_nbytes
    assert max(map(len, blocks_of(rows.segment(0, 1)))) == rows.block_rows == (1 << 20) // 1200
    assert most < rows.read_copies * block
    needs = Needs(n_components=2, n_statistics=300, n_features=rows.n_features, max_passes=10)
    assert task_nbytes(Dataset.of(rows, ALONE, 2, 300), needs) < 3 * data.nbytes


def test_frames_that_cannot_hold_lists_name_the_column_and_the_call():
    dd = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame({"id": IDS, "emb": list(X)})
    arrow = pa.table({"id": IDS, "emb": lists_of(X, "fixed")})
    backed = frame.astype({"emb": pd.ArrowDtype(pa.list_(pa.float32()))})
    mixture = GaussianMixture(1).fit(X)
    for x in (frame, frame[["emb"]], backed, arrow, dd.from_pandas(backed, npartitions=2)):
        for call in (GaussianMixture(1).fit, mixture.predict):
            with pytest.raises(DataError, match=r"'emb' of X holds lists.*numpy.stack\(X\['emb'\]"):
                call(x)
    assert_array_equal(mixture.predict(np.stack(frame["emb"])), mixture.predict(X))
