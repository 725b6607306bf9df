"""CSV files: types that fit all values, dialects, and the Parquet that they become."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from daskgmm import (
    GaussianMixture,
    GaussianMixtureClassifier,
    csv_to_parquet,
    open_data,
    open_parquet,
)
from daskgmm.errors import DataError, OutputError, SourceError
from tests.oracle.data import blobs

X = blobs(300, 3, 2, seed=1)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a hundred bytes: types are inferred from some lines."""
    monkeypatch.setattr("daskgmm.rows.csv.blocks.BLOCK_BYTES", 100)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_numbers_are_those_of_the_text():
    FRAME.to_csv("x.csv", index=False)
    found = csv_to_parquet("x.csv", "x.parquet")
    assert (found.rows, found.columns) == (300, dict.fromkeys("abc", "double"))
    assert_array_equal(pd.read_parquet("x.parquet"), X)
    assert_array_equal(open_parquet("x.parquet").columns, ["a", "b", "c"])


@pytest.mark.usefixtures("small_blocks")
def test_a_column_has_the_narrowest_type_of_all_its_values():
    n = 200
    late = {
        "int": np.arange(n),
        "float": [*range(n - 1), 0.5],
        "text": [*range(n - 1), "?"],
        "filled": pd.array([None] * (n - 1) + [7], "Int64"),
        "halves": [None] * (n - 2) + [1, 0.5],
        "empty": [None] * n,
        "truth": [True, False] * (n // 2),
        "mixed": [True] * (n - 1) + ["maybe"],
        "day": [f"2026-01-{1 + i % 28:02}" for i in range(n)],
    }
    pd.DataFrame(late).to_csv("x.csv", index=False)
    with pytest.warns(
        match=r"mostly numbers: 'text' \(such as '0'\)\. .*missing=\['TEXT'\].*TEXT is"
    ):
        found = csv_to_parquet("x.csv", "x.parquet")
    assert found.columns == {
        "int": "int64", "float": "double", "text": "string", "filled": "int64",
        "halves": "double", "empty": "double", "truth": "bool", "mixed": "string",
        "day": "date32[day]",
    }  # fmt: skip
    assert found.text_columns == ("text", "mixed", "day")
    read = pd.read_parquet("x.parquet")
    assert_array_equal(read["float"], late["float"])
    assert read["filled"].tolist()[-1] == 7
    assert read["filled"].isna().sum() == n - 1
    assert read["text"].tolist() == [*map(str, range(n - 1)), "?"]
    known = csv_to_parquet("x.csv", "y.parquet", missing=["?", "maybe"]).columns
    assert (known["text"], known["mixed"]) == ("int64", "bool")


@pytest.mark.parametrize(
    ("name", "how", "options"),
    [
        ("x.tsv", {"sep": "\t"}, {}),
        ("x.csv", {"sep": ";"}, {}),
        ("x.csv", {"sep": ";", "decimal": ","}, {"decimal": ","}),
        ("x.csv", {"sep": "|"}, {}),
        ("x.csv", {"sep": "~"}, {"delimiter": "~"}),
        ("x.csv.gz", {}, {}),
        ("x.csv.bz2", {}, {}),
        ("x.csv", {"encoding": "utf-8-sig"}, {}),
        ("x.csv", {"lineterminator": "\r\n"}, {}),
        ("x.csv", {"quoting": 2}, {}),
    ],
)
def test_dialects(name, how, options):
    FRAME.to_csv(name, index=False, **how)
    csv_to_parquet(name, "x.parquet", **options)
    read = pd.read_parquet("x.parquet")
    assert list(read) == ["a", "b", "c"]
    assert_array_equal(read, X)


@pytest.mark.parametrize("how", [{}, {"sep": ";", "decimal": ","}])
def test_a_first_line_of_numbers_is_no_header(how):
    FRAME.to_csv("x.csv", index=False, header=False, **how)
    found = csv_to_parquet("x.csv", "x.parquet", decimal=how.get("decimal", "."))
    assert (found.rows, list(found.columns)) == (300, ["c0", "c1", "c2"])


def test_empty_lines_come_before_the_header():
    FRAME.to_csv("x.csv", index=False)
    Path("y.csv").write_text("\n\n" + Path("x.csv").read_text())
    csv_to_parquet("y.csv", "y.parquet")
    assert_array_equal(pd.read_parquet("y.parquet"), X)


@pytest.mark.usefixtures("small_blocks")
def test_files_follow_each_other_in_types_that_fit_all():
    FRAME[:100].round().astype(int).to_csv("x0.csv", index=False)
    FRAME[100:].to_csv("x1.csv", index=False)
    seen = []
    found = csv_to_parquet(
        ["x0.csv", "x1.csv"], "x.parquet", progress=lambda done, total: seen.append((done, total))
    )
    assert found.columns == dict.fromkeys("abc", "double")
    assert_array_equal(pd.read_parquet("x.parquet"), np.r_[X[:100].round(), X[100:]])
    assert seen[-1][0] == seen[-1][1]


def test_a_small_file_is_fitted_by_path():
    FRAME.assign(w=1.0, name="x").to_csv("x.csv", index=False)
    with pytest.raises(
        DataError, match=r"x\.csv has columns .*'name' \(string\).*daskgmm\.open_data\(path, "
    ):
        GaussianMixture(2).fit("x.csv")
    rows = open_data("x.csv", columns=["a", "b", "c"])
    settings = {"random_state": 0, "max_iter": 20}
    found = GaussianMixture(2, **settings).fit(rows, sample_weight="w")
    expected = GaussianMixture(2, **settings).fit(FRAME, sample_weight=np.ones(300))
    assert_array_equal(found.means_, expected.means_)
    assert list(found.feature_names_in_) == ["a", "b", "c"]
    assert_array_equal(found.predict("x.csv"), expected.predict(FRAME))
    found.predict_to_parquet("x.csv", "p.parquet", key=["name"])
    assert pq.read_table("p.parquet").column_names[0] == "name"


def test_a_large_file_is_refused_with_the_command(monkeypatch):
    FRAME.to_csv("x.csv", index=False)
    monkeypatch.setattr("daskgmm.rows.csv.table.MOST_BYTES", 1000)
    with pytest.raises(SourceError, match=r"x\.csv has .* MiB.*daskgmm\.csv_to_parquet"):
        GaussianMixture(2).fit("x.csv")


BAD = {
    "a,b\n1,2\n1,2,3\n": (DataError, "another number of fields.*Expected 2 columns, got 3"),
    "a,a\n1,2\n": (SourceError, "two columns named 'a'"),
    "": (SourceError, "is an empty file: it has 0 bytes"),
    "a,b\n": (DataError, "no rows below its header"),
}


@pytest.mark.parametrize("text", BAD)
def test_bad_files_are_named_and_leave_nothing(text, tmp_path):
    (tmp_path / "x.csv").write_text(text)
    kind, words = BAD[text]
    with pytest.raises(kind, match=rf"x\.csv .*{words}"):
        csv_to_parquet("x.csv", "x.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


@pytest.mark.parametrize("text", ["a,\xe9\n1,2\n", "a,b\n1,\xe9\n"])
def test_other_encodings(text, tmp_path):
    (tmp_path / "x.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(SourceError, match=r"not encoded as utf8.*latin-1"):
        csv_to_parquet("x.csv", "x.parquet")
    assert csv_to_parquet("x.csv", "x.parquet", encoding="latin-1").rows == 1


def test_where_it_goes_is_checked_first(tmp_path):
    FRAME.to_csv("x.csv", index=False)
    (tmp_path / "there.parquet").write_text("old")
    for out, kind, words in [
        ("there.parquet", FileExistsError, "exists"),
        ("x.zarr", OutputError, r"\.parquet"),
        ("no/x.parquet", FileNotFoundError, "no folder no"),
    ]:
        with pytest.raises(kind, match=words):
            csv_to_parquet("x.csv", out)
    Path("link.parquet").symlink_to("x.csv")
    with pytest.raises(OutputError, match="is a file that is read"):
        csv_to_parquet("x.csv", "link.parquet", overwrite=True)
    with pytest.raises(SourceError, match=r"none\.csv does not exist"):
        csv_to_parquet("none.csv", "y.parquet")
    assert (tmp_path / "there.parquet").read_text() == "old"
    assert csv_to_parquet("x.csv", "there.parquet", overwrite=True).rows == 300


def test_a_url(tmp_path):
    with gzip.open("x.csv.gz", "wt") as file:
        FRAME.to_csv(file, index=False)
    csv_to_parquet(f"file://{tmp_path}/x.csv.gz", f"file://{tmp_path}/x.parquet")
    assert_array_equal(pd.read_parquet("x.parquet"), X)


@pytest.mark.parametrize(("line", "place"), [(",a,b", "1"), ("a,b,", "3"), ("a, ,b", "2")])
def test_a_column_without_a_name_is_left_out_with_a_warning(line, place):
    Path("x.csv").write_text(f"{line}\n1,2,3\n4,5,6\n")
    with pytest.warns(UserWarning, match=rf"x\.csv: column {place} has no name") as caught:
        assert open_data("x.csv").columns == ("a", "b")
    assert [each.filename for each in caught] == [__file__]
    with pytest.warns(UserWarning, match=f"column {place} has no name"):
        assert list(csv_to_parquet("x.csv", "x.parquet").columns) == ["a", "b"]
    wanted = [name != "" for name in map(str.strip, line.split(","))]
    assert_array_equal(pd.read_parquet("x.parquet"), np.array([[1, 2, 3], [4, 5, 6]])[:, wanted])


@pytest.mark.parametrize("line", ["1.0,,3", "1.0,NA,3", "-,2,3"])
def test_a_first_line_of_values_is_none_of_names(line):
    Path("x.csv").write_text(f"{line}\n1,2,3\n")
    found = csv_to_parquet("x.csv", "x.parquet", missing=["-"])
    assert (found.rows, list(found.columns)) == (2, ["c0", "c1", "c2"])


def test_what_the_first_line_is_may_be_said():
    Path("x.csv").write_text("5.1,setosa\n4.9,setosa\n")
    assert csv_to_parquet("x.csv", "x.parquet").rows == 1
    assert csv_to_parquet("x.csv", "y.parquet", header=False).columns == {
        "c0": "double",
        "c1": "string",
    }
    Path("z.csv").write_text("400,500\n1,2\n")
    assert list(csv_to_parquet("z.csv", "z.parquet", header=True).columns) == ["400", "500"]


def test_an_empty_line_of_one_column_is_a_missing_value():
    Path("x.csv").write_text("a\n1\n\n3\n")
    csv_to_parquet("x.csv", "x.parquet")
    assert_array_equal(pd.read_parquet("x.parquet")["a"], [1, np.nan, 3])


@pytest.mark.slow
def test_lines_may_be_longer_than_a_mebibyte():
    d = (1 << 14) + 1
    header, values = ",".join(f"c{i}" for i in range(d)), ",".join(["0." + "1" * 200] * d)
    Path("x.csv").write_text(f"{header}\n{values}\n{values}\n")
    assert csv_to_parquet("x.csv", "x.parquet").rows == 2


@pytest.mark.parametrize("encoding", ["utf8", "utf-8", "UTF-8", "utf-8-sig"])
def test_the_mark_of_utf8_is_no_part_of_a_name(encoding):
    Path("x.csv").write_text("a,b\n1,2\n", encoding="utf-8-sig")
    found = csv_to_parquet("x.csv", "x.parquet", encoding=encoding)
    assert list(found.columns) == ["a", "b"]


def test_a_delimiter_is_one_character():
    Path("x.csv").write_text("a::b\n1::2\n")
    with pytest.raises(SourceError, match="one character"):
        csv_to_parquet("x.csv", "x.parquet", delimiter="::")


def test_a_column_of_texts_is_a_target():
    frame = FRAME[["a", "b"]].assign(kind=np.array(["x", "y z"], object)[(X[:, 0] > 0).astype(int)])
    frame.loc[::3, "kind"] = None
    frame.to_csv("x.csv", index=False)
    expected = GaussianMixtureClassifier(random_state=0).fit(frame[["a", "b"]], frame["kind"])
    tables = pl.from_pandas(frame), pa.Table.from_pandas(frame, preserve_index=False)
    batch = tables[1].to_batches()[0]
    for rows in ("x.csv", open_data("x.csv", columns=["a", "b"]), *tables, batch):
        found = GaussianMixtureClassifier(random_state=0).fit(rows, "kind")
        assert found.classes_.tolist() == ["x", "y z"]
        assert_array_equal(found.class_count_, expected.class_count_)
        assert_array_equal(found.mixture_.means_, expected.mixture_.means_)
        assert found.score(rows, "kind", np.ones(300)) == expected.score(
            frame[["a", "b"]], frame["kind"]
        )
    with pytest.raises(DataError, match="'kind', which holds text"):
        GaussianMixture(2).fit(open_data("x.csv", columns=["a", "b"]), labels="kind")


@pytest.mark.parametrize("columns", [None, ["height", "girth"]])
def test_texts_that_are_mostly_numbers_come_with_the_conversion(tmp_path, monkeypatch, columns):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("height;girth;n\n1,5;2,5;3\n2,5;3,5;4\n4,1;1,2;5\n")
    with pytest.raises(DataError) as refused:
        open_data("t.csv", columns=columns)
    call = "daskgmm.csv_to_parquet('t.csv', 't.parquet', decimal=',')"
    assert str(refused.value).endswith(f" Or make numbers of 'height', 'girth': {call}.")
    csv_to_parquet("t.csv", "t.parquet", decimal=",")
    assert open_data("t.parquet", columns=columns).n_features == (3 if columns is None else 2)
