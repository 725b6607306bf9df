"""Parquet files in stores that answer late: fetched ahead, with the blocks of local ones."""

import io
import itertools

import dask
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daskgmm import open_parquet, plan
from daskgmm.rows.ahead import BUDGET, COPIES
from daskgmm.rows.parquet import segment as reading
from daskgmm.rows.parquet.ahead_file import AheadFile, Coming, Extent, extents
from tests.promises.distant import Distant

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
    found = extents(metadata, Coming(range(1, 9), ["a", "pair"], LIMIT), 4096)
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


def ahead(parts, nbytes=1000, fetch=lambda start, stop: CONTENT[start:stop]):
    file = AheadFile(Source(CONTENT), fetch)
    file.expect(parts, nbytes, LIMIT)
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
