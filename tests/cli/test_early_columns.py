"""Names of columns that are told before anything is imported are those that a fit would find."""

from pathlib import Path

import fsspec
import pandas as pd
import pytest

from daskgmm.cli import tables
from daskgmm.cli.tables import columns_of
from daskgmm.storage.local import leads_nowhere


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tables, "loaded", lambda name: None)
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    frame.to_csv("t.csv", sep=";")
    frame.to_csv("t.tsv.gz", sep="\t", index=False)
    frame.to_parquet("t.parquet")
    for folder in ("parts", "mixed", "year=1"):
        (tmp_path / folder).mkdir()
        frame.to_parquet(f"{folder}/0.parquet")
    (tmp_path / "mixed" / "other").mkdir()
    (tmp_path / "delta" / "_delta_log").mkdir(parents=True)
    (tmp_path / "delta" / "_delta_log" / f"{0:020}.json").write_text("{}")
    frame.to_parquet("delta/0.parquet")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "t.parquet").write_bytes(b"PAR1")
    for folder in ("hive/year=1/month%20of=2", "spark", "uneven/a=1", "uneven/b=1"):
        (tmp_path / folder).mkdir(parents=True)
        frame.to_parquet(f"{folder}/0.parquet")
    (tmp_path / "spark" / "_SUCCESS").touch()
    (tmp_path / "empty").mkdir()


@pytest.mark.parametrize(
    ("path", "columns"),
    [
        ("t.csv", ("unnamed 0", "a", "b")),
        ("t.tsv.gz", ("a", "b")),
        ("t.parquet", ("a", "b")),
        ("parts", ("a", "b")),
        ("p*s/*.parquet", ("a", "b")),
        ("*.parquet", ("a", "b")),
        ("hive", ("a", "b", "year", "month of")),
        ("spark", ("a", "b")),
    ],
)
def test_columns(path, columns):
    assert columns_of(path) == columns


@pytest.mark.parametrize(
    "path",
    [
        "mixed", "delta", "delta/0.parquet", "year=1", "year=1/0.parquet", "torn/t.parquet",
        "empty", "none.csv", "t*", "none*.parquet", "uneven", "memory://t.parquet", "s3://bucket/t.csv",
    ],
)  # fmt: skip
def test_what_is_not_sure_is_left_to_who_opens_it(path):
    assert columns_of(path) is None


def test_kinds_of_sources_of_ones_own_may_have_other_columns(monkeypatch):
    monkeypatch.setattr(tables, "loaded", lambda name: name)
    assert columns_of("t.csv") is None


def test_a_url_of_this_disk_is_a_path(tmp_path):
    assert columns_of(f"file://{tmp_path}/t.parquet") == ("a", "b")


def test_texts_for_missing_values_are_those_of_arrow():
    from pyarrow.csv import ConvertOptions

    from daskgmm.rows.csv.dialect import MISSING

    assert list(MISSING) == ConvertOptions().null_values


def test_outputs_are_told_before_a_model_is_read(call, monkeypatch):
    monkeypatch.setattr("daskgmm.cli.mistakes.loaded", lambda name: None)
    (Path("m.json")).write_text('{"format": "daskgmm-gaussian-mixture"}')
    refused = call("predict", "m.json", "t.csv", "--outputs", "label,postrior", "-o", "l.zarr")
    assert refused.exit_code == 2
    assert "outputs names 'postrior' (--outputs)" in refused.stderr
    assert "Did you mean 'posterior'?" in refused.stderr


@pytest.mark.parametrize(
    ("pattern", "nowhere"),
    [("none*.csv", True), ("t*", False), ("**/0.parquet", False), ("x/[ab]*/y*", True)],
)
def test_a_pattern_of_nothing_leads_nowhere(pattern, nowhere):
    assert leads_nowhere(pattern) == nowhere


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "z.zarr"])
def test_a_url_that_leads_nowhere_is_told_without_libraries(monkeypatch, call, name):
    monkeypatch.setattr("daskgmm.cli.mistakes.loaded", lambda name: None)
    url = f"memory://early/{name}"
    told = call("plan", url, "-k", 3).stderr
    assert f"{url} does not exist, or its server does not answer. Check" in told
    inside = "/.zarray" if name.endswith(".zarr") else ""
    fsspec.filesystem("memory").pipe(f"early/{name}{inside}", b"")
    try:
        assert "its server" not in call("plan", url, "-k", 3).stderr
    finally:
        fsspec.filesystem("memory").rm("early", recursive=True)
