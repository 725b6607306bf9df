"""A Parquet file is the same however a store spells what it says of it, and no other one is."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daskgmm.rows.parquet.version import Version


@pytest.fixture
def metadata(tmp_path):
    pq.write_table(pa.table({"a": [1.0, 2.0]}), tmp_path / "x.parquet")
    return pq.read_metadata(tmp_path / "x.parquet")


DAY = "2026-11-28 "


@pytest.mark.parametrize(
    ("listed", "asked", "other"),
    [
        ({"ETag": '"0x8D"'}, {"ETag": "0x8D"}, {"ETag": "0x8E"}),
        ({"ETag": 'W/"0x8D"'}, {"ETag": '"0x8D"'}, {"ETag": '"0x8E"'}),
        ({"modified": f"{DAY}09:00:00.123+00:00"}, {"modified": f"{DAY}09:00:00+00:00"},
         {"modified": f"{DAY}09:00:01+00:00"}),
        ({"modified": f"{DAY}09:00:00.123"}, {"modified": f"{DAY}09:00:00.123"},
         {"modified": f"{DAY}09:00:00.124"}),
        ({"ETag": "a", "modified": DAY}, {"ETag": "a", "modified": "?"}, {"ETag": "b"}),
    ],
)  # fmt: skip
def test_lists_and_answers_of_a_store_are_spelled_otherwise(metadata, listed, asked, other):
    version = Version.of(metadata, {"size": "9", **listed})
    assert version.is_of(metadata, {"size": "9", **asked}, local=False)
    assert not version.is_of(metadata, {"size": "9", **other}, local=False)


def test_a_copy_on_another_machine_has_another_time(metadata):
    told = {"size": "9", "mtime": "1"}
    version = replace(Version.of(metadata, told), machine="elsewhere")
    assert version.is_of(metadata, {**told, "mtime": "2"}, local=True)
    # Without statistics the footer of other values may be the same.
    assert not replace(version, telling=False).is_of(metadata, {**told, "mtime": "2"}, local=True)
    assert not Version.of(metadata, told).is_of(metadata, {**told, "mtime": "2"}, local=True)
