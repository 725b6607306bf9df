"""Columns of texts in Parquet files: texts, and their places among names."""

import pickle

import numpy as np
import pandas as pd
import pytest

from daskgmm import open_parquet
from daskgmm.em.survey.label_counts import distinct_texts
from daskgmm.errors import DataError
from daskgmm.rows.sources import source_of

TEXTS = ["b", "a", None, "", "b", "c", "a"]


@pytest.fixture(params=["object", "category", "string[pyarrow]"])
def path(request, tmp_path):
    """Two files of row groups of two and one rows."""
    frame = pd.DataFrame({"x": np.arange(7.0), "kind": pd.Series(TEXTS, dtype=request.param)})
    frame[:4].to_parquet(tmp_path / "1.parquet", row_group_size=2)
    frame[4:].to_parquet(tmp_path / "2.parquet", row_group_size=2)
    return str(tmp_path / "*.parquet")


def read(rows):
    chunks = len(rows.lengths)
    segments = [pickle.loads(pickle.dumps(rows.segment(i, i + 1))) for i in range(chunks)]
    return [np.concatenate(list(segment.stream())).tolist() for segment in segments]


def test_texts_and_places_in_the_chunks_of_the_rows(path):
    left, texts = source_of(path).texts("kind")
    assert left.rows().columns == ("x",)
    assert texts.lengths.tolist() == left.rows().lengths.tolist() == [2, 2, 2, 1]
    assert read(texts) == [TEXTS[:2], TEXTS[2:4], TEXTS[4:6], TEXTS[6:]]
    names = distinct_texts(texts)
    assert names == ("", "a", "b", "c")
    assert read(texts.among(names)) == [[2, 1], [-1, 0], [2, 3], [1]]
    with pytest.raises(DataError, match="have changed while they were read"):
        read(texts.among(("a", "b")))


def test_open_rows_keep_their_features(path):
    rows = open_parquet(path, ["x"])
    left, texts = source_of(rows).texts("kind")
    assert left.rows() is rows
    assert read(texts)[0] == TEXTS[:2]
    assert source_of(rows).texts("x") is None
    assert source_of(path).texts("none") is None


def test_measurements_are_no_names(tmp_path):
    frame = pd.DataFrame({"x": 0.0, "t": [f"t{i}" for i in range(1100)]})
    frame.to_parquet(tmp_path / "t.parquet")
    _, texts = source_of(str(tmp_path / "t.parquet")).texts("t")
    with pytest.raises(DataError, match=r"1,100 values or more, and at most 1,024 classes"):
        distinct_texts(texts)


def test_lists_of_files_have_the_texts_of_all(tmp_path):
    frame = pd.DataFrame({"x": np.arange(7.0), "kind": TEXTS})
    paths = [str(tmp_path / f"{i}.parquet") for i in (1, 2)]
    frame[:4].to_parquet(paths[0], row_group_size=3)
    frame[4:].to_parquet(paths[1])
    for parts in (paths, [open_parquet(path, ["x"]) for path in paths]):
        left, texts = source_of(parts).texts("kind")
        rows = left.rows()
        assert rows.columns == ("x",)
        assert texts.lengths.tolist() == rows.lengths.tolist() == [3, 1, 3]
        assert read(texts) == [TEXTS[:3], TEXTS[3:4], TEXTS[4:]]
        names = distinct_texts(texts)
        assert names == ("", "a", "b", "c")
        places = texts.among(names)
        assert places.dtype.kind == "i"
        assert read(places) == [[2, 1, -1], [0], [2, 3, 1]]
    assert source_of(paths).texts("x") is None
    assert source_of([*paths, paths[0]]).texts("none") is None
    assert source_of([np.zeros((2, 1))]).texts("kind") is None
