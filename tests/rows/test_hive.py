"""Columns that the names of directories hold."""

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from daskgmm import GaussianMixture
from daskgmm.errors import DataError
from daskgmm.rows.parquet.hive import hive_columns
from daskgmm.rows.parquet.rows import open_parquet

from .conformance import read_all

PLACES = ["year=2020/month=01/area=a%20b", "year=2020/month=12/area=c", "year=2021/month=2/area=c"]


@pytest.fixture
def folder(tmp_path):
    for index, place in enumerate(PLACES):
        (tmp_path / "t" / place).mkdir(parents=True)
        x = np.arange(12.0).reshape(6, 2) + 100 * index
        table = pa.table({"id": np.arange(6) + 10 * index, "a": x[:, 0], "b": x[:, 1]})
        pq.write_table(table, tmp_path / "t" / place / "x.parquet", row_group_size=4)
    return tmp_path / "t"


def of_arrow(path):
    return ds.dataset(path, partitioning="hive").to_table().to_pandas().sort_values("id")


def test_directories_are_the_columns_that_pyarrow_reads(folder):
    expected = of_arrow(folder)
    rows = open_parquet(folder, ["month", "b", "year"])
    assert rows.dtype == np.float64
    assert set(rows.all_columns) == set(expected.columns)
    found = read_all(rows)
    assert_array_equal(found, expected[["month", "b", "year"]].to_numpy())
    assert_array_equal(read_all(rows.column("year")), expected["year"])
    assert_array_equal(read_all(open_parquet(folder, ["year"])), expected[["year"]].to_numpy())
    assert open_parquet(folder, ["year", "id"]).dtype == np.int64


def test_directories_are_no_features_unless_asked_for(folder):
    assert open_parquet(folder).columns == ("id", "a", "b")
    assert open_parquet(f"{folder}/*/*/*/*.parquet").columns == ("id", "a", "b")


def test_directories_of_single_files_globs_urls_and_stores(folder):
    [first, *_] = sorted(folder.rglob("*.parquet"))
    for path in (first, f"file://{first}", f"{folder}/year=2020/month=01/*/*", [first]):
        assert_array_equal(read_all(open_parquet(path, ["year", "month"])), [[2020, 1]] * 6)
    assert set(read_all(open_parquet(folder / "year=2021", ["year"]))[:, 0]) == {2021}
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "hive", recursive=True)
    try:
        assert_array_equal(
            read_all(open_parquet("memory://hive", ["a", "month"])),
            read_all(open_parquet(folder, ["a", "month"])),
        )
    finally:
        memory.rm("hive", recursive=True)


def test_text_in_the_name_of_a_directory_is_named(folder, tmp_path):
    with pytest.raises(DataError, match=r"'area' \(string, by which files are parted\)"):
        open_parquet(folder, ["a", "area"])
    for size in ("1", "2", "many"):
        (tmp_path / "s" / f"size={size}").mkdir(parents=True)
        pq.write_table(pa.table({"a": [1.0]}), tmp_path / "s" / f"size={size}" / "x.parquet")
    with pytest.raises(DataError, match=r"'size' \(string, by which"):
        open_parquet(tmp_path / "s", ["size"])
    pq.write_table(pa.table({"a": [1.0]}), tmp_path / "s" / "y.parquet")
    with pytest.raises(DataError, match=r"y\.parquet has no column 'size'"):
        open_parquet(tmp_path / "s", ["size"])
    assert open_parquet(tmp_path / "s", ["a"]).n_rows == 4


@pytest.mark.parametrize("text", ["7", "007", "-3", "1.5", "1e3", "9" * 30, "true", "a%2Fb", "ü"])
def test_values_are_those_of_pyarrow(tmp_path, text):
    (tmp_path / f"k={text}").mkdir()
    pq.write_table(pa.table({"id": [1.0]}), tmp_path / f"k={text}" / "x.parquet")
    [columns] = hive_columns([f"{tmp_path}/k={text}/x.parquet"])
    assert columns["k"].as_py() == of_arrow(tmp_path)["k"][0]


def test_a_missing_value_in_the_name_of_a_directory(tmp_path):
    for name in ("k=1", "k=__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"id": [float(len(name))]}), tmp_path / name / "x.parquet")
    rows = open_parquet(tmp_path, ["k"])
    assert rows.dtype == np.float64
    assert_array_equal(read_all(rows), of_arrow(tmp_path)[["k"]].to_numpy())
    assert_array_equal(read_all(open_parquet(tmp_path / name, ["k"])), [[np.nan]])


def test_a_column_that_is_stored_too_is_read_from_the_file(tmp_path):
    (tmp_path / "k=1").mkdir()
    pq.write_table(pa.table({"k": [1, 1], "a": [1.0, 2.0]}), tmp_path / "k=1" / "x.parquet")
    rows = open_parquet(tmp_path)
    assert rows.columns == ("k", "a")
    assert_array_equal(read_all(rows), [[1, 1], [1, 2]])


@pytest.mark.parametrize("stored", ["k=1/x.parquet", "x.parquet"])
def test_a_column_that_only_some_files_store_is_refused(tmp_path, stored):
    for name in (stored, "k=2/y.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        columns = {"a": [1.0, 2.0]} | ({"k": [7, 8]} if name == stored else {})
        pq.write_table(pa.table(columns), tmp_path / name)
    message = r"'k' is stored in .*x\.parquet, and of .*y\.parquet only the directory"
    with pytest.raises(DataError, match=message):
        open_parquet(tmp_path, ["a", "k"])
    rows = open_parquet(tmp_path, ["a"])
    with pytest.raises(DataError, match=message):
        GaussianMixture(1).fit(rows, sample_weight="k")
    with pytest.raises(DataError, match=message):
        GaussianMixture(1).fit(rows).predict_to_parquet(rows, tmp_path / "out", key="k")


def test_a_directory_whose_column_begins_with_an_underscore_is_data(tmp_path):
    for name in ("_k=1", "_temporary/0", ".k=2"):
        (tmp_path / name).mkdir(parents=True)
        pq.write_table(pa.table({"a": [1.0]}), tmp_path / name / "x.parquet")
    assert_array_equal(read_all(open_parquet(tmp_path, ["_k"])), [[1]])


def test_directories_as_weights_features_and_keys(folder, tmp_path):
    frame = of_arrow(folder)
    x = frame[["a", "b"]].to_numpy() ** 1.5
    for place, part in zip(PLACES, np.split(x, 3), strict=True):
        stored = pq.read_table(folder / place / "x.parquet").to_pandas()
        pq.write_table(
            pa.Table.from_pandas(stored.assign(a=part[:, 0], b=part[:, 1]), preserve_index=False),
            folder / place / "x.parquet",
        )
    mixture = GaussianMixture(1).fit(open_parquet(folder, ["a", "b"]), sample_weight="month")
    of_arrays = GaussianMixture(1).fit(x, sample_weight=frame["month"].to_numpy())
    np.testing.assert_allclose(mixture.means_, of_arrays.means_, rtol=1e-12)
    by_month = GaussianMixture(1).fit(open_parquet(folder, ["a", "month"]))
    expected = np.column_stack([x[:, 0], frame["month"]])
    np.testing.assert_allclose(by_month.means_[0], expected.mean(0), rtol=1e-12)
    assert by_month.score(str(folder)) == pytest.approx(
        GaussianMixture(1).fit(expected).score(expected), rel=1e-9
    )
    by_month.predict_to_parquet(str(folder), tmp_path / "out", key=["area", "id", "year"])
    found = pd.read_parquet(tmp_path / "out")
    assert found["area"].tolist() == frame["area"].tolist()
    assert_array_equal(found[["id", "year"]], frame[["id", "year"]])
