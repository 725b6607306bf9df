"""CSV as programs write it: long integers, line ends in names and of old files, encodings."""

import codecs
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from daskgmm import GaussianMixture, csv_to_parquet, open_data
from daskgmm.errors import SourceError

LONG = 9007199254740993  # 2^53 + 1, which no float64 is


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=[100, 16 << 20])
def blocks(request, monkeypatch):
    """Blocks of a hundred bytes, and one block."""
    monkeypatch.setattr("daskgmm.rows.csv.blocks.BLOCK_BYTES", request.param)


def converted(text, **options):
    Path("x.csv").write_text(text)
    found = csv_to_parquet("x.csv", "x.parquet", overwrite=True, **options)
    return found.columns, pq.read_table("x.parquet").to_pydict()


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize(
    ("late", "kind"),
    [(LONG, "int64"), (2**63 + 1, "decimal128(38, 0)"), (-(10**37), "decimal128(38, 0)")],
)
@pytest.mark.parametrize("first", [False, True])
def test_integers_keep_their_digits(late, kind, first):
    values = [late, *range(60)] if first else [*range(60), late]
    columns, found = converted("id,x\n" + "".join(f"{value},0.5\n" for value in values))
    assert columns == {"id": kind, "x": "double"}
    assert [int(value) for value in found["id"]] == values


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("other", ["0.5", "1" * 60])
def test_those_that_cannot_are_told(other):
    text = "id\n" + "".join(f"{value}\n" for value in [LONG, *range(60), other])
    with pytest.warns(UserWarning, match=r"x\.csv, column 'id': integers beyond 2\^53") as caught:
        columns, found = converted(text)
    assert [each.filename for each in caught] == [__file__]
    assert columns == {"id": "double"}
    assert found["id"][-1] == float(other)


def test_floats_that_are_large_are_no_integers():
    columns, found = converted("x\n1e300\n-2.5e17\n123456789012345678.0\n36893488147419103232\n")
    assert columns == {"x": "double"}  # the last one is 2^65, which a float64 is
    assert found["x"] == [1e300, -2.5e17, 123456789012345678.0, 2.0**65]


def test_texts_are_texts_after_long_integers():
    columns, found = converted(f"id,x\n{2**64},1\nunknown,2\n")
    assert columns == {"id": "string", "x": "int64"}
    assert found["id"] == [str(2**64), "unknown"]


def test_long_integers_are_keys_to_the_last_digit():
    ids = [2**64 + i for i in range(40)]
    Path("x.csv").write_text("id,x\n" + "".join(f"{i},{i % 7}.5\n" for i in ids))
    mixture = GaussianMixture(1).fit(open_data("x.csv", columns=["x"]))
    mixture.predict_to_parquet("x.csv", "p.parquet", key="id")
    assert pq.read_table("p.parquet")["id"].to_pylist() == [Decimal(i) for i in ids]


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("empty", [0, 2])
def test_line_ends(end, empty):
    lines = [
        "",
    ] * empty + ['"temp\n(deg C)",b,"say ""x"", y"', *(f"{i},{i}.5,t" for i in range(50))]
    Path("x.csv").write_bytes(end.join([*lines, ""]).encode())
    columns = csv_to_parquet("x.csv", "x.parquet").columns
    assert columns == {"temp\n(deg C)": "int64", "b": "double", 'say "x", y': "string"}
    table = pq.read_table("x.parquet")
    assert_array_equal(table["temp\n(deg C)"], np.arange(50))
    assert_array_equal(table["b"], np.arange(50) + 0.5)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "end"])
def test_files_of_one_line(end, last):
    Path("x.csv").write_bytes(f"1,2{end if last else ''}".encode())
    assert open_data("x.csv").table.to_pylist() == [{"c0": 1, "c1": 2}]


def test_a_quote_within_a_name_opens_nothing():
    columns, found = converted('5" pipe,b\n1,2\n3,4\n')
    assert list(columns) == ['5" pipe', "b"]
    assert found["b"] == [2, 4]


def test_line_ends_of_unicode_end_no_line():
    columns, _ = converted("a\u2028b,c\x0bd\n1,2\n")
    assert list(columns) == ["a\u2028b", "c\x0bd"]


def test_names_that_are_longer_than_what_is_read_at_once(monkeypatch):
    monkeypatch.setattr("daskgmm.rows.csv.start.START_BYTES", 7)
    columns, found = converted('größe,"zwei\r\nZeilen",c\r\n1,2,3\r\n')
    assert list(columns) == ["größe", "zwei\r\nZeilen", "c"]
    assert found["c"] == [3]


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_the_mark_of_an_encoding_is_taken_for_it(encoding):
    text = "größe,b\n" + "".join(f"{i},{i}\n" for i in range(50))
    Path("x.csv").write_bytes(text.encode(encoding))
    assert open_data("x.csv").columns == ("größe", "b")
    assert_array_equal(open_data("x.csv").table["b"], np.arange(50))
    assert csv_to_parquet("x.csv", "x.parquet").rows == 50


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["größe,b\n1,2\n", "a,b\n1,ö\n", "a,b\n1,2\n"])
def test_another_one_is_refused_with_what_to_do(encoding, text):
    Path("x.csv").write_bytes(text.encode(encoding))
    if text.isascii() and encoding == "latin-1":
        assert open_data("x.csv").n_rows == 1
        return
    for read in (open_data, lambda path: csv_to_parquet(path, "x.parquet")):
        with pytest.raises(
            SourceError, match=r"x\.csv is not encoded as utf8.*\(encoding='latin-1'\).*utf-16"
        ):
            read("x.csv")
    assert csv_to_parquet("x.csv", "x.parquet", encoding=encoding).rows == 1


def test_an_unknown_encoding():
    Path("x.csv").write_text("a\n1\n")
    with pytest.raises(SourceError, match="nonsense"):
        csv_to_parquet("x.csv", "x.parquet", encoding="nonsense")


def test_marks_are_told_apart():
    assert codecs.BOM_UTF32_LE.startswith(codecs.BOM_UTF16_LE)
