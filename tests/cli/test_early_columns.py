"""Names of columns that are told before anything is imported are those that a fit would find."""

import pandas as pd
import pytest

from daskgmm.cli import tables
from daskgmm.cli.tables import columns_of


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
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    (tmp_path / "empty").mkdir()


@pytest.mark.parametrize(
    ("path", "columns"),
    [
        ("t.csv", ("unnamed 0", "a", "b")),
        ("t.tsv.gz", ("a", "b")),
        ("t.parquet", ("a", "b")),
        ("parts", ("a", "b")),
    ],
)
def test_columns(path, columns):
    assert columns_of(path) == columns


@pytest.mark.parametrize(
    "path",
    [
        "mixed", "delta", "delta/0.parquet", "year=1", "year=1/0.parquet", "torn.parquet", "empty",
        "none.csv", "*.parquet", "memory://t.parquet", "s3://bucket/t.csv",
    ],
)  # fmt: skip
def test_what_is_not_sure_is_left_to_who_opens_it(path):
    assert columns_of(path) is None


def test_kinds_of_sources_of_ones_own_may_have_other_columns(monkeypatch):
    monkeypatch.setattr(tables, "loaded", lambda name: name)
    assert columns_of("t.csv") is None
