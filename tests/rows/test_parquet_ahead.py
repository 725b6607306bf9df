"""Parquet files in stores that answer late: fetched ahead, with the blocks of local ones."""

import io
import itertools
import os
from pathlib import Path
from types import SimpleNamespace

import dask
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daskgmm import open_parquet, plan
from daskgmm.errors import SourceError
from daskgmm.rows.ahead import BUDGET, COPIES
from daskgmm.rows.parquet import segment as reading
from daskgmm.rows.parquet.ahead_file import AheadFile, Coming, Extent, extents
from tests.promises.distant import Distant, File

CONTENT = np.random.default_rng(0).bytes(10_000)

LIMIT = 100 * COPIES * 1000


@pytest.fixture
def far(monkeypatch):
    monkeypatch.setattr(Distant, "latency", 0.01)
    monkeypatch.setattr(Distant, "most", 0)
    monkeypatch.setattr(reading, "LEAST_STORED_BYTES", 1 << 10)
    monkeypatch.setattr(reading, "STORED_BYTES", 16 << 10)  # so that columns are several parts


def written(folder, rows=6_000, files=2):
    random = np.random.default_rng(1)
    for number in range(files):
        columns = {
            "a": random.normal(size=rows),
            "few": random.integers(3, size=rows),  # a dictionary and little else
            "gaps": pa.array(random.normal(size=rows), mask=random.random(rows) < 0.1),
            "text": random.choice(["one", "two"], rows),
            "pair": list(random.normal(size=(rows, 2))),
        }
        path = folder / f"{number}.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=rows // 3 + 1)
    return str(folder / "*.parquet")


def blocks(path, columns, first=0, stop=None):
    rows = open_parquet(path, columns)
    return list(rows.segment(first, len(rows.lengths) if stop is None else stop).stream())


@pytest.mark.parametrize("columns", [["a"], ["few", "gaps", "a"], ["pair", "few"]])
@pytest.mark.parametrize(("first", "stop"), [(0, None), (1, 5)])
def test_blocks_are_those_of_local_files(tmp_path, far, columns, first, stop):
    path = written(tmp_path)
    near = blocks(path, columns, first, stop)
    found = blocks(f"distant://{path}", columns, first, stop)
    for block, expected in zip(found, near, strict=True):
        np.testing.assert_array_equal(block, expected)
    assert Distant.most > 2
    assert not BUDGET.taken


def test_without_bytes_one_request_follows_another(tmp_path, far):
    path = written(tmp_path)
    rows = open_parquet(path, ["a", "gaps"])
    with dask.config.set({"daskgmm.read-ahead": 0}):
        far_rows = open_parquet(f"distant://{path}", ["a", "gaps"])
        Distant.most = 0
        found = list(far_rows.segment(0, 1).stream())
    assert (far_rows.ahead, rows.ahead, Distant.most) == (0, 0, 1)
    for block, expected in zip(found, rows.segment(0, 1).stream(), strict=True):
        np.testing.assert_array_equal(block, expected)


def test_a_stream_that_is_given_up_leaves_nothing(tmp_path, far):
    rows = open_parquet(f"distant://{written(tmp_path)}", ["a", "gaps"])
    stream = rows.segment(0, 6).stream()
    next(stream)
    stream.close()
    assert not BUDGET.taken
    assert not Distant.reads


def test_the_plan_counts_what_is_fetched_ahead(tmp_path, far):
    path = written(tmp_path)
    near = plan(open_parquet(path, ["a", "gaps"]), 2).worker_nbytes
    with dask.config.set({"daskgmm.read-ahead": "100 MiB"}):
        rows = open_parquet(f"distant://{path}", ["a", "gaps"])
    assert plan(rows, 2).worker_nbytes >= near + (100 << 20)


def test_parts_of_all_columns_come_at_one_pace(tmp_path):
    path = written(tmp_path, files=1).replace("*", "0")
    metadata = pq.read_metadata(path)
    coming = Coming(range(1, 9), ["a", "pair"], LIMIT)
    size = (tmp_path / "0.parquet").stat().st_size
    found = extents(metadata, pq.read_schema(path).names, coming, 4096, size)
    sizes = [
        metadata.row_group(group).column(column).total_compressed_size
        for group in (1, 2)
        for column in (0, 4)
    ]
    assert sum(part.stop - part.start for part in found) == sum(sizes)
    assert max(part.stop - part.start for part in found) == 4096
    assert not any(one.stop > other.start for one, other in itertools.pairwise(sorted(found)))
    parts = [-(-size // 4096) for size in sizes[:2]]
    group = metadata.row_group(1)
    own = [
        [part for part in found[: sum(parts)] if start <= part.start < start + size]
        for start, size in zip(
            (group.column(0).dictionary_page_offset, group.column(4).dictionary_page_offset),
            sizes[:2],
            strict=True,
        )
    ]
    assert [len(each) for each in own] == parts  # the first row group is whole before the next
    places = [[found.index(part) for part in each] for each in own]
    assert all(place == sorted(place) for place in places)
    assert places[0][len(places[0]) // 2] < places[1][-1]  # and no column is before the others


class Source(io.BytesIO):
    """A file whose size is known."""

    size = len(CONTENT)


def ahead(parts, nbytes=1000, fetch=lambda start, stop: CONTENT[start:stop], most=3):
    file = AheadFile(Source(CONTENT), fetch)
    file.expect(parts, nbytes, LIMIT, most)
    return file


def test_any_read_gives_the_bytes_of_the_file():
    random = np.random.default_rng(2)
    parts = [Extent(start, min(start + 700, 6000)) for start in range(1000, 6000, 700)]
    with ahead([*parts[::2], *parts[1::2]]) as file:
        for start in (0, 900, 1000, 1000, 2400, 5999, 9990, 10_000, 1500):
            for size in (0, 1, 650, 700, 3000, -1):
                file.seek(start)
                stop = len(CONTENT) if size < 0 else start + size
                assert file.read(size) == CONTENT[start:stop]
        assert file.seek(-10, io.SEEK_END) == 9990 == file.tell()
        file.seek(5, io.SEEK_CUR)
        assert file.read() == CONTENT[-5:]
    with ahead(parts) as file:
        for start in random.permutation(10_000)[:100]:
            file.seek(int(start))
            assert file.read(300) == CONTENT[start : start + 300]
    assert not BUDGET.taken


def test_a_store_that_gives_other_bytes_is_a_fault_of_it():
    with ahead([Extent(0, 1000)], fetch=lambda start, stop: CONTENT) as file:
        with pytest.raises(OSError, match="10000 bytes of 1000 from 0 on"):
            file.read(1000)
        assert file.read(1000) == CONTENT[:1000]  # from the file itself


def test_no_more_is_held_than_was_said():
    parts = [Extent(start, start + 500) for start in range(0, 10_000, 500)]
    with ahead([*parts[::2], *parts[1::2]]) as file:  # parts in between are never read
        for part in parts[1::2]:
            file.seek(part.start)
            assert file.read(500) == CONTENT[part.start : part.stop]
            assert len(file._held) <= 3
    assert not BUDGET.taken


def test_what_is_far_from_its_turn_is_read_by_itself():
    parts = [Extent(start, start + 10) for start in range(0, 10_000, 10)]
    asked = []

    def fetch(start, stop):
        asked.append(start)
        return CONTENT[start:stop]

    with ahead(parts, 10, fetch) as file:
        file.seek(9000)
        assert file.read(1000) == CONTENT[9000:]
        file.seek(0)
        assert file.read(9000) == CONTENT[:9000]
    assert sorted(asked) == list(range(0, 9000, 10))


def test_a_dictionary_comes_with_the_first_pages_of_its_column(tmp_path):
    path = tmp_path / "wide.parquet"
    random = np.random.default_rng(3)
    pq.write_table(pa.table({name: random.normal(size=3000) for name in "abc"}), path)
    metadata, size = pq.read_metadata(path), path.stat().st_size
    found = extents(metadata, ["a", "b", "c"], Coming(range(1), ["a", "b", "c"], 0), 1000, size)
    pages = [metadata.row_group(0).column(number).data_page_offset for number in range(3)]
    assert pages[0] > 20_000  # values are unique, and all in the dictionary
    first = [next(place for place in found if place.stop > each) for each in pages]
    places = [found.index(each) for each in first]
    assert places == sorted(places)
    assert found[: places[0]] == sorted(part for part in found if part.stop <= pages[0])


def test_names_with_dots_are_no_parts_of_others(tmp_path):
    path = tmp_path / "dots.parquet"
    pq.write_table(pa.table({"a": [1.0], "a.b": [2.0], "c": [[1.0, 2.0]]}), path)
    metadata, names = pq.read_metadata(path), ["a", "a.b", "c"]
    for number, name in enumerate(names):
        (found,) = extents(metadata, names, Coming(range(1), [name], 0), 1 << 20, 1 << 20)
        assert (
            found.stop - found.start == metadata.row_group(0).column(number).total_compressed_size
        )


@pytest.mark.parametrize("lie", [(4, 1 << 60), (-8, 50), (60, -1), (4, 70)])
def test_of_a_file_that_lies_nothing_is_fetched_ahead(lie):
    def column(start, size):
        return SimpleNamespace(
            path_in_schema="a",
            data_page_offset=start,
            has_dictionary_page=True,
            dictionary_page_offset=0,
            total_compressed_size=size,
        )

    def of(*columns):
        group = SimpleNamespace(num_columns=len(columns), column=lambda i: column(*columns[i]))
        metadata = SimpleNamespace(num_row_groups=1, row_group=lambda i: group)
        return extents(metadata, ["a"], Coming(range(1), ["a"], 0), 100, 1000)

    assert of((50, 40)) == [(50, 90)]
    assert of((50, 40), lie) == []


def test_a_file_that_is_written_again_gives_no_mixed_rows(tmp_path, far, monkeypatch):
    plain = File._fetch_range

    def checked(self, start, end):
        if Path(self.path).stat().st_mtime_ns != self.details["mtime"]:
            raise OSError("pre-conditions failed")
        return plain(self, start, end)

    monkeypatch.setattr(File, "_fetch_range", checked)
    path = written(tmp_path, rows=200_000, files=1).replace("*", "0")
    stream = open_parquet(f"distant://{path}", ["a", "gaps"]).segment(0, 3).stream()
    next(stream)
    os.utime(path, ns=(1, 1))
    with pytest.raises(SourceError, match="pre-conditions"):
        list(stream)
    assert not BUDGET.taken
