"""Directories whose truth is in a log beside the files."""

import json
import shutil
import sys

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daskgmm import GaussianMixture
from daskgmm.errors import DataError, SourceError
from daskgmm.rows.opening import as_rows
from daskgmm.rows.parquet.files import is_parquet
from daskgmm.rows.parquet.rows import open_parquet

from .conformance import read_all

deltalake = pytest.importorskip("deltalake")


def values(path, columns=("a", "b")):
    return sorted(map(tuple, read_all(open_parquet(path, list(columns))).tolist()))


@pytest.fixture
def table(tmp_path):
    """A table by year and region, of which a row was replaced and one deleted."""
    path = tmp_path / "my events"
    rows = pa.table(
        {
            "a": [1.0, 2.0, 3.0, 4.0],
            "b": [10.0, 20.0, 30.0, 40.0],
            "year": pa.array([2020, 2020, 2021, None], pa.int32()),
            "region": ["north sea", "north sea", "a/b", "ü"],
        }
    )
    deltalake.write_deltalake(path, rows, partition_by=["year", "region"])
    deltalake.DeltaTable(path).update({"a": "a + 100"}, predicate="b = 20")
    deltalake.DeltaTable(path).delete("b = 30")
    return path


LIVE = [(1.0, 10.0), (4.0, 40.0), (102.0, 20.0)]


def test_only_live_files_of_a_delta_table_are_rows(table):
    assert len(list(table.rglob("*.parquet"))) > len(open_parquet(table, ["a"]).footers)
    assert values(table) == LIVE
    assert values(f"{table}/") == LIVE
    assert values(f"file://{table}") == LIVE
    assert values([str(table)]) == LIVE
    assert is_parquet(str(table))
    assert is_parquet(f"file://{table}")
    assert as_rows(table).columns == ("a", "b")
    assert as_rows(f"file://{table}").n_rows == 3


def test_columns_that_partition_a_delta_table(table):
    rows = read_all(open_parquet(table, ["b", "year"]))
    found = dict(rows.tolist())
    assert (found[10], found[20]) == (2020, 2020)
    assert np.isnan(found[40])
    with pytest.raises(DataError, match=r"'region' \(string, by which files are parted\)"):
        open_parquet(table, ["a", "region"])


def test_a_part_of_a_delta_table(table, tmp_path, monkeypatch):
    assert values(table / "year=2020") == [(1.0, 10.0), (102.0, 20.0)]
    assert values(f"{table}/year=2020/*/*.parquet") == [(1.0, 10.0), (102.0, 20.0)]
    monkeypatch.chdir(table.parent)
    assert values("my events/**/*.parquet") == LIVE
    (tmp_path / "elsewhere").symlink_to(table / "year=2020")
    assert values(tmp_path / "elsewhere") == [(1.0, 10.0), (102.0, 20.0)]
    with pytest.raises(SourceError, match=r"year=2021.* holds no live files of the Delta Lake"):
        open_parquet(table / "year=2021")
    with pytest.raises(SourceError, match="no live files"):
        open_parquet(table / "_delta_log")


def test_files_that_are_named_must_be_live(table):
    live = [footer.address.url for footer in open_parquet(table).footers]
    assert values(live) == LIVE
    [*_, gone] = [str(path) for path in table.rglob("*.parquet") if str(path) not in live]
    for given in (gone, [*live, gone], f"file://{gone}"):
        with pytest.raises(SourceError, match="is not a live file of the Delta Lake table"):
            open_parquet(given)


def test_a_delta_table_in_a_store_is_read_with_options_of_fsspec(table):
    memory = fsspec.filesystem("memory")
    memory.put(str(table), "lake/events", recursive=True)
    try:
        assert values("memory://lake/events") == LIVE
        assert values("memory://lake/events/year=2020") == [(1.0, 10.0), (102.0, 20.0)]
        with pytest.raises(SourceError, match="holds a Delta Lake table, memory:///lake/events"):
            open_parquet("memory://lake")
    finally:
        memory.rm("lake", recursive=True)


def test_a_log_in_a_store_is_read_from_its_last_checkpoint_on(table):
    delta = deltalake.DeltaTable(table)
    delta.create_checkpoint()
    delta.delete("b = 40")
    for old in ("0", "1"):
        (table / "_delta_log" / f"{old:0>20}.json").unlink()
    memory = fsspec.filesystem("memory")
    memory.put(str(table), "lake/events", recursive=True)
    try:
        assert values("memory://lake/events") == values(table) == [(1.0, 10.0), (102.0, 20.0)]
    finally:
        memory.rm("lake", recursive=True)


def test_a_column_that_is_younger_than_some_files_of_a_delta_table(tmp_path):
    path = tmp_path / "grown"
    deltalake.write_deltalake(path, pa.table({"a": [1.0, 2.0]}))
    younger = pa.table({"a": [3.0], "n": pa.array([7], pa.int64())})
    deltalake.write_deltalake(path, younger, mode="append", schema_mode="merge")
    rows = open_parquet(path, ["a", "n"])
    expected = deltalake.DeltaTable(path).to_pyarrow_table().to_pandas()[["a", "n"]].to_numpy()
    found = read_all(rows)
    np.testing.assert_array_equal(found[found[:, 0].argsort()], expected[expected[:, 0].argsort()])
    assert rows.dtype == np.float64
    assert np.isnan(found).sum() == 2


def overwritten_in_part(path):
    """Make a table whose older files hold a column that it has dropped."""
    rows = pa.table({"old": [7.0, 8.0, 9.0], "p": [1, 1, 2], "a": [1.0, 2.0, 3.0]})
    deltalake.write_deltalake(path, rows, partition_by=["p"])
    rows = pa.table({"b": [6.0], "a": [5.0], "p": [2]})
    how = {"mode": "overwrite", "schema_mode": "overwrite", "predicate": "p = 2"}
    deltalake.write_deltalake(path, rows, **how)
    return [[1, np.nan], [2, np.nan], [5, 6]]


def of_wider_files(path):
    """Make a table of files that hold more than it: also by what the rows are parted."""
    path.mkdir()
    schema = pa.schema([("b", pa.float64()), ("a", pa.float64()), ("p", pa.int64())])
    actions = []
    for name, p in (("0.parquet", 1), ("1.parquet", 2)):
        rows = {"a": [1.0 * p], "c": ["x"], "b": [p + 0.5], **({"p": [p]} if p == 1 else {})}
        pq.write_table(pa.table(rows), path / name)
        size = (path / name).stat().st_size
        actions.append(deltalake.transaction.AddAction(name, size, {"p": str(p)}, 0, True, "{}"))
    deltalake.transaction.create_table_with_add_actions(
        str(path), deltalake.Schema.from_arrow(schema), actions, partition_by=["p"]
    )
    return [[1, 1.5], [2, 2.5]]


@pytest.mark.parametrize("made", [overwritten_in_part, of_wider_files])
def test_the_columns_of_a_delta_table_are_those_of_its_log(tmp_path, made):
    path = tmp_path / "table"
    expected = made(path)
    rows = open_parquet(path)
    known = tuple(field.name for field in deltalake.DeltaTable(path).schema().fields)
    assert rows.all_columns == known
    assert rows.columns == tuple(name for name in known if name != "p")
    read = read_all(rows.select(["a", "b"]))
    np.testing.assert_array_equal(read[read[:, 0].argsort()], expected)
    assert set(read_all(rows.select(["p"]))[:, 0]) == {1, 2}
    with pytest.raises(DataError, match="no column 'old'"):
        open_parquet(path, ["old"])


def table_with(place, protocol, configuration=None, **of_add):
    place.mkdir()
    pq.write_table(pa.table({"a": [1.0, 2.0]}), place / "x.parquet")
    field = {"name": "a", "type": "double", "nullable": True, "metadata": {}}
    if configuration:
        mapping = {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "a"}
        field["metadata"] = mapping
    schema = json.dumps({"type": "struct", "fields": [field]})
    metadata = {
        "id": "0", "format": {"provider": "parquet", "options": {}}, "schemaString": schema,
        "partitionColumns": [], "configuration": configuration or {}, "createdTime": 0,
    }  # fmt: skip
    add = {
        "path": "x.parquet", "partitionValues": {}, "size": 1, "modificationTime": 0,
        "dataChange": True, "stats": '{"numRecords": 2}', **of_add,
    }  # fmt: skip
    log = place / "_delta_log"
    log.mkdir()
    actions = [{"protocol": protocol}, {"metaData": metadata}, {"add": add}]
    (log / f"{0:020}.json").write_text("\n".join(map(json.dumps, actions)))
    return place


def with_features(*names):
    features = {"readerFeatures": list(names), "writerFeatures": list(names)}
    return {"minReaderVersion": 3, "minWriterVersion": 7, **features}


def test_live_files_that_hold_other_rows_than_the_delta_table(tmp_path):
    plain = table_with(tmp_path / "plain", with_features("deletionVectors"))
    assert values(plain, ["a"]) == [(1.0,), (2.0,)]
    vector = {
        "storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 1,
        "sizeInBytes": 34, "cardinality": 1,
    }  # fmt: skip
    purge = table_with(
        tmp_path / "deleted", with_features("deletionVectors"), deletionVector=vector
    )
    with pytest.raises(SourceError, match=r"deletion vectors.*Purge"):
        open_parquet(purge)
    mapped = table_with(
        tmp_path / "mapped",
        {"minReaderVersion": 2, "minWriterVersion": 5},
        {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "1"},
    )
    with pytest.raises(SourceError, match="column mapping"):
        open_parquet(mapped)
    cloned = table_with(
        tmp_path / "cloned", {"minReaderVersion": 1, "minWriterVersion": 2}, path="s3://b/x.parquet"
    )
    with pytest.raises(SourceError, match="shallow clone"):
        open_parquet(cloned)


def test_a_delta_log_that_cannot_be_read(table, monkeypatch):
    (table / "_delta_log" / f"{0:020}.json").write_text("{")
    with pytest.raises(SourceError, match="Delta Lake table, and its log cannot be read"):
        open_parquet(table)
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(SourceError, match=r"pip install 'daskgmm\[delta\]'"):
        open_parquet(table)


def test_a_fit_a_score_and_predictions_see_the_same_rows_of_a_delta_table(tmp_path):
    random = np.random.default_rng(0)
    old = random.normal(size=(300, 2))
    path = tmp_path / "events"
    frame = pa.table({"id": pa.array(range(300)), "a": old[:, 0], "b": old[:, 1]})
    deltalake.write_deltalake(path, frame)
    deltalake.DeltaTable(path).update({"a": "a + 100", "b": "b + 100"}, predicate="id < 200")
    shift = np.where(np.arange(300) < 200, 100.0, 0.0)
    new = pa.table({"a": old[:, 0] + shift, "b": old[:, 1] + shift}).to_pandas()
    mixture = GaussianMixture(2, random_state=0).fit(open_parquet(path, ["a", "b"]))
    assert mixture.fitted_on_["rows"] == 300
    np.testing.assert_allclose(mixture.weights_ @ mixture.means_, new.mean(), rtol=1e-3)
    assert mixture.score(str(path)) == pytest.approx(mixture.score(new), rel=1e-12)
    labels = np.asarray(mixture.predict(str(path)))
    assert sorted(np.bincount(labels)) == [100, 200]
    written = mixture.predict_to_parquet(str(path), tmp_path / "out", key="id")
    assert written.rows == 300
    found = pq.read_table(tmp_path / "out").to_pandas().set_index("id")["label"].sort_index()
    np.testing.assert_array_equal(found, mixture.predict(new))


LOGS = {
    "Apache Iceberg": ("metadata/v3.metadata.json", "data/part=1/x.parquet"),
    "Apache Iceberg table, ": (
        "metadata/00002-6b1b1b0e-6f5c-4d3a-9d5b-0a4ad9f0e8a1.metadata.json", "data/x.parquet",
    ),
    "Apache Hudi": (".hoodie/hoodie.properties", "2020/01/x.parquet"),
    "Apache Paimon": ("schema/schema-0", "bucket-0/data-1.parquet"),
    "Spark stream": ("_spark_metadata/0", "x.parquet"),
}  # fmt: skip


@pytest.fixture(params=LOGS)
def logged(request, tmp_path):
    log, file = LOGS[request.param]
    for name in (log, file):
        (tmp_path / "lake" / "events" / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "lake" / "events" / log).write_text("{}")
    pq.write_table(pa.table({"a": [1.0, 2.0]}), tmp_path / "lake" / "events" / file)
    return tmp_path / "lake" / "events", file, request.param.rstrip(", ")


def test_tables_whose_log_is_not_read(logged):
    table, file, name = logged
    assert is_parquet(str(table))
    given = [
        table, f"file://{table}", table / file, (table / file).parent, [table / file],
        f"{table}/**/*.parquet", table.parent,
    ]  # fmt: skip
    for each in given:
        with pytest.raises(SourceError, match=name):
            open_parquet(each)
    with pytest.raises(SourceError, match=f"{name}.*copy.parquet"):
        GaussianMixture(1).fit(str(table))
    memory = fsspec.filesystem("memory")
    memory.put(str(table), "lake/events", recursive=True)
    try:
        for each in ("memory://lake/events", f"memory://lake/events/{file}", "memory://lake"):
            with pytest.raises(SourceError, match=name):
                open_parquet(each)
    finally:
        memory.rm("lake", recursive=True)


def test_directories_that_only_look_like_tables(tmp_path):
    for name in ("metadata/about.json", "_SUCCESS", "schema/rows.sql", "_temporary/0/x.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    for name in ("_delta_log", "metadata/snapshots"):
        (tmp_path / name).mkdir()
    pq.write_table(pa.table({"a": [1.0, 2.0]}), tmp_path / "x.parquet")
    pq.write_metadata(pa.schema([("a", pa.float64())]), tmp_path / "_metadata")
    assert values(tmp_path, ["a"]) == [(1.0,), (2.0,)]
    (tmp_path / "empty.parquet").write_bytes(b"")
    with pytest.raises(SourceError, match=r"empty\.parquet is an empty file"):
        open_parquet(tmp_path)


def test_a_folder_of_schemas_alone_is_no_table(tmp_path):
    for name in ("project/schema/schema-1", "project/runs/x/bucket-0/notes"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    pq.write_table(pa.table({"a": [1.0, 2.0]}), tmp_path / "project" / "runs" / "x.parquet")
    for place in ("", "project", "project/runs", "project/runs/x.parquet"):
        assert values(tmp_path / place, ["a"]) == [(1.0,), (2.0,)]
    (tmp_path / "project" / "snapshot").mkdir()
    (tmp_path / "project" / "snapshot" / "snapshot-1").write_text("{}")
    for place in ("", "project", "project/runs"):
        with pytest.raises(SourceError, match="Apache Paimon"):
            open_parquet(tmp_path / place)


@pytest.mark.parametrize("text", ["{}", "{", "[]", '{"version": null}'])
def test_a_damaged_note_of_the_last_checkpoint(table, text):
    (table / "_delta_log" / "_last_checkpoint").write_text(text)
    memory = fsspec.filesystem("memory")
    memory.put(str(table), "lake/events", recursive=True)
    try:
        assert values("memory://lake/events") == values(table) == LIVE
    finally:
        memory.rm("lake", recursive=True)


def test_two_delta_tables_under_one_directory(table, tmp_path):
    shutil.copytree(table, tmp_path / "second")
    with pytest.raises(SourceError, match="Give the path of a single table, or a list"):
        open_parquet(tmp_path)
    assert len(values([table, tmp_path / "second"])) == 6
    assert len(values(f"{tmp_path}/*/*/*/*.parquet")) == 6
