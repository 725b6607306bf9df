"""Predictions in Parquet files beside keys: one read, and runs that go on."""

import json

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import GaussianMixture
from daskgmm.errors import DataError, SourceError
from daskgmm.models.predictions.outputs import OUTPUTS
from daskgmm.models.predictions.room import OF_OUTLIERS
from daskgmm.models.writers.partial_places import JOURNAL
from daskgmm.rows.parquet import segment as parquet_segment
from daskgmm.rows.parquet.rows import open_parquet
from tests.oracle.data import blobs

# Dask's own way with an index, as of pandas 3.1.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame")

K, N = 4, 3000
FEATURES = ["a", "b", "c"]
X = blobs(N, 3, K, seed=1, separation=10)
FRAME = pd.DataFrame(X, columns=FEATURES).assign(
    name=[f"row {i}" for i in range(N)],
    time=pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(N), "s"),
    number=np.arange(N, dtype=np.int32)[::-1],
)
FRAME.index = pd.Index(np.arange(0, 10 * N, 10), name="id")
KEYS = ["name", "time", "number"]
MIXTURE = GaussianMixture(K, init_params="k-means++", random_state=0).fit(FRAME[FEATURES])
NAMELESS = GaussianMixture(K, init_params="k-means++", random_state=0).fit(X)


OF_SOME = ("latent", "reconstruction_error", "cluster", "cluster_posterior", *OF_OUTLIERS)
ALL = tuple(name for name in OUTPUTS if name not in OF_SOME)
"""All outputs of a mixture without factors."""


def stored(frame, path, name="x.parquet", rows=200):
    frame.to_parquet(path / name, row_group_size=rows)
    return str(path / name)


def two_files(frame, path):
    (path / "in").mkdir()
    half = len(frame) // 2
    return [
        stored(frame[:half], path / "in", "0.parquet"),
        stored(frame[half:], path / "in", "1.parquet"),
    ]


def of_unknown_length(frame, path):
    whole = dd.from_pandas(pd.concat([frame, frame[:0]]), npartitions=9)
    return whole[whole["a"] < np.inf]


FORMS = {
    "path": stored,
    "two files": two_files,
    "rows": lambda frame, path: open_parquet(stored(frame, path), FEATURES),
    "dask": lambda frame, path: dd.from_pandas(frame, npartitions=7),
    "dask from parquet": lambda frame, path: dd.read_parquet(two_files(frame, path)),
    "dask of unknown length": of_unknown_length,
    "pandas": lambda frame, path: frame,
    "arrow": lambda frame, path: pa.Table.from_pandas(frame),
    "batch": lambda frame, path: pa.RecordBatch.from_pandas(frame),
    "polars": lambda frame, path: pl.DataFrame(
        {name: frame[name].to_numpy() for name in frame if name != "time"}
        | {
            "time": pl.Series(frame["time"].dt.tz_localize(None).to_numpy()).dt.replace_time_zone(
                "UTC"
            )
        }
    ),
}


def parts(path):
    return sorted(path.glob("*"))


@pytest.mark.parametrize("form", FORMS)
def test_predictions_stand_beside_the_keys(form, tmp_path):
    out = tmp_path / "out.parquet"
    written = MIXTURE.predict_to_parquet(
        FORMS[form](FRAME, tmp_path), out, ALL, key=KEYS, dtype="float64", top=2
    )
    found = pd.read_parquet(out)
    for key in KEYS:
        assert_array_equal(found[key], FRAME[key])
    assert found["number"].dtype == np.int32
    assert str(found["time"].dtype).endswith("UTC]")
    posterior = MIXTURE.predict_proba(FRAME[FEATURES])
    assert_array_equal(found["label"], MIXTURE.predict(FRAME[FEATURES]))
    assert found["label"].dtype == found["top_component_1"].dtype == np.int8
    assert_allclose(found[[f"posterior_{i}" for i in range(K)]], posterior, rtol=1e-9)
    assert_array_equal(found["top_component_1"], found["label"])
    two = -np.sort(-posterior, axis=1)
    assert_allclose(found["top_posterior_2"], two[:, 1], rtol=1e-9)
    assert_allclose(found["largest_posterior"], two[:, 0], rtol=1e-9)
    assert_allclose(found["ambiguity"], 1 - two[:, 0] + two[:, 1], atol=1e-12)
    assert_allclose(found["log_density"], MIXTURE.score_samples(FRAME[FEATURES]), rtol=1e-9)
    assert list(found)[:4] == [*KEYS, "label"]
    assert written.rows == N
    assert written.missing == 0
    assert written.counts.tolist() == np.bincount(found["label"], minlength=K).tolist()
    assert {path.name for path in tmp_path.iterdir()} <= {"out.parquet", "x.parquet", "in"}


@pytest.mark.parametrize("form", ["path", "dask", "pandas", "two files"])
def test_an_index_is_the_key_unless_another_is_given(form, tmp_path):
    for name, settings in {"a": {}, "b": {"key": "id"}, "c": {"key": ["id", "name"]}}.items():
        MIXTURE.predict_to_parquet(
            FORMS[form](FRAME, fresh(tmp_path / name)), tmp_path / name / "out.parquet", **settings
        )
        found = pd.read_parquet(tmp_path / name / "out.parquet")
        pd.testing.assert_index_equal(found.index, FRAME.index)
        assert list(found) == ["name", "label"][name != "c" :]
    MIXTURE.predict_to_parquet(
        FORMS[form](FRAME, fresh(tmp_path / "d")), tmp_path / "out.parquet", key=()
    )
    assert list(pq.read_table(tmp_path / "out.parquet").column_names) == ["label"]


def fresh(path):
    path.mkdir()
    return path


def test_dask_reads_the_same_divisions(tmp_path):
    frame = dd.from_pandas(FRAME, npartitions=7)
    MIXTURE.predict_to_parquet(frame, tmp_path / "out.parquet", key=None)
    found = dd.read_parquet(tmp_path / "out.parquet", calculate_divisions=True)
    assert found.divisions == frame.divisions
    assert found.npartitions == 7
    joined = frame.join(found).compute()
    assert_array_equal(joined["label"], MIXTURE.predict(FRAME[FEATURES]))


def test_a_mixture_without_names_takes_what_is_no_key(tmp_path):
    source = stored(FRAME[[*FEATURES, "name"]].reset_index(drop=True), tmp_path)
    for number, x in enumerate([source, dd.read_parquet(source), pd.read_parquet(source)]):
        NAMELESS.predict_to_parquet(x, tmp_path / f"{number}.parquet", key="name")
        found = pd.read_parquet(tmp_path / f"{number}.parquet")
        assert_array_equal(found["name"], FRAME["name"])
        assert_array_equal(found["label"], NAMELESS.predict(X))


def test_a_key_that_is_a_feature(tmp_path):
    MIXTURE.predict_to_parquet(stored(FRAME, tmp_path), tmp_path / "out.parquet", key=["b"])
    assert_array_equal(pd.read_parquet(tmp_path / "out.parquet")["b"], FRAME["b"])


def test_one_file_for_each_row_group_or_partition(tmp_path):
    frame = FRAME.reset_index()
    with pq.ParquetWriter(tmp_path / "x.parquet", pa.Schema.from_pandas(frame)) as writer:
        for start, stop in [(0, 100), (100, 100), (100, 1500), (1500, 3000), (3000, 3000)]:
            writer.write_table(pa.Table.from_pandas(frame[start:stop], writer.schema))
    MIXTURE.predict_to_parquet(tmp_path / "x.parquet", tmp_path / "out.parquet", key="name")
    found = parts(tmp_path / "out.parquet")
    assert [path.name for path in found] == [f"part-{i:06d}.parquet" for i in range(5)]
    assert [pq.read_metadata(path).num_rows for path in found] == [100, 0, 1400, 1500, 0]
    holed = dd.from_pandas(frame, npartitions=5).map_partitions(
        lambda part: part[part["a"] < np.inf] if part["number"].iloc[0] != N - 1 else part[:0]
    )
    written = MIXTURE.predict_to_parquet(holed, tmp_path / "holed.parquet", key="name")
    found = parts(tmp_path / "holed.parquet")
    assert [pq.read_metadata(path).num_rows for path in found] == [0, 600, 600, 600, 600]
    assert written.rows == 2400
    assert_array_equal(pd.read_parquet(tmp_path / "holed.parquet")["name"], frame["name"][600:])


def test_no_rows(tmp_path):
    for number, x in enumerate([FRAME[:0], stored(FRAME[:0], tmp_path)]):
        written = MIXTURE.predict_to_parquet(x, tmp_path / f"{number}", ALL, key="name")
        assert written.rows == 0
    assert pd.read_parquet(tmp_path / "1").columns[0] == "name"


def test_rows_that_miss_a_value(tmp_path):
    holed = FRAME.copy()
    holed.loc[holed.index[::3], "a"] = np.nan
    drops = GaussianMixture(K, random_state=0, missing="drop").fit(holed[FEATURES])
    for name, x in {
        "files": stored(holed, tmp_path),
        "dask": dd.from_pandas(holed, npartitions=3),
        "pandas": holed.astype({"a": "Float64"}),
    }.items():
        written = drops.predict_to_parquet(x, tmp_path / name, ALL, key="name")
        found = pd.read_parquet(tmp_path / name)
        assert_array_equal(found["name"], holed["name"])
        assert_array_equal(found["label"], drops.predict(holed[FEATURES]))
        assert (found["label"][::3] == -1).all()
        assert (found["top_component_2"][::3] == -1).all()
        floats = found.select_dtypes("float")
        assert floats[::3].isna().all(axis=None)
        assert not floats[1::3].isna().any(axis=None)
        assert written.missing == N / 3
        assert written.rows == N
    with pytest.raises(ValueError, match="NaN in row 0"):
        MIXTURE.predict_to_parquet(stored(holed, tmp_path), tmp_path / "out", key="name")


def test_large_row_groups_are_read_once_and_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("daskgmm.rows.parquet.segment.BLOCK_BYTES", 10_000)
    monkeypatch.setattr("daskgmm.models.writers.part_writing.GROUP_BYTES", 5000)
    reads, read = [], parquet_segment.block_of

    def counted(batch, *others):
        reads.append(batch.num_rows)
        return read(batch, *others)

    monkeypatch.setattr(parquet_segment, "block_of", counted)
    source = stored(FRAME, tmp_path, rows=N)
    MIXTURE.predict_to_parquet(source, tmp_path / "out", ALL, key=KEYS)
    assert sum(reads) == N
    assert max(reads) <= 10_000 // (3 * 8)
    [path] = parts(tmp_path / "out")
    assert pq.read_metadata(path).num_row_groups > 3
    assert_array_equal(pd.read_parquet(path)["name"], FRAME["name"])


class Killed(BaseException):
    pass


@pytest.mark.parametrize("form", ["path", "two files", "dask"])
@pytest.mark.parametrize("dies_at", [1, 4])
def test_a_killed_run_goes_on(form, dies_at, tmp_path, monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-7)
    x, out = FORMS[form](FRAME, tmp_path), tmp_path / "out"
    settings = {"outputs": ["label", "posterior"], "key": ["name"]}
    whole = MIXTURE.predict_to_parquet(x, tmp_path / "whole", **settings)

    def dying(done, total):
        assert total > 6
        if done == dies_at + 1:
            raise Killed

    with dask.config.set(num_workers=1):
        with pytest.raises(Killed):
            MIXTURE.predict_to_parquet(x, out, **settings, progress=dying)
        assert not out.exists()
        [aside] = (tmp_path / "out.partial").iterdir()
        before = {path.name: path.stat().st_mtime_ns for path in parts(aside)}
        done = json.loads((tmp_path / f"out.partial{JOURNAL}").read_text())["done"]
        assert len(done) == dies_at
        (aside / ".part-000003.parquet.1234.partial").write_text("left behind")
        again = []
        written = MIXTURE.predict_to_parquet(
            x, out, **settings, progress=lambda done, total: again.append(total)
        )
    now = {path.name: path.stat().st_mtime_ns for path in parts(out)}
    assert sum(now[name] == mtime for name, mtime in before.items()) >= dies_at
    assert len(again) == again[0] >= 6 - dies_at
    for path in parts(tmp_path / "whole"):
        assert pq.read_table(out / path.name).equals(pq.read_table(path))
    assert len(now) == len(parts(tmp_path / "whole"))
    assert written.rows == N
    assert written.counts.tolist() == whole.counts.tolist()
    assert not list(tmp_path.glob("*partial*"))


def test_another_run_begins_anew_only_if_it_may(tmp_path, monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-7)
    source, out = stored(FRAME, tmp_path), tmp_path / "out"

    def die(done, total):
        if done == 4:
            raise Killed

    with dask.config.set(num_workers=1), pytest.raises(Killed):
        MIXTURE.predict_to_parquet(source, out, key="name", progress=die)
    both = r"\(written: name .*, label int8; asked: number .*, label int8\)"
    with pytest.raises(FileExistsError, match=rf"3 batches .* other outputs or keys {both}\."):
        MIXTURE.predict_to_parquet(source, out, key="number")
    MIXTURE.predict_to_parquet(source, out, key="number", overwrite=True)
    assert list(pd.read_parquet(out)) == ["number", "label"]


def test_a_file_that_was_written_again_is_predicted_anew(tmp_path, monkeypatch):
    """Even if nothing but the order of its rows is another: the footer is the same."""
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-7)

    def die(done, total):
        if done == 4:
            raise Killed

    source, out = stored(FRAME, tmp_path), tmp_path / "out"
    with dask.config.set(num_workers=1), pytest.raises(Killed):
        MIXTURE.predict_to_parquet(source, out, progress=die)
    other = stored(pd.concat([FRAME[:200][::-1], FRAME[200:]]), tmp_path)
    with pytest.raises(FileExistsError, match=r"wrote with other (rows|values of the rows)\."):
        MIXTURE.predict_to_parquet(other, out)
    MIXTURE.predict_to_parquet(other, out, overwrite=True)
    other = pd.read_parquet(other)
    assert_array_equal(pd.read_parquet(out)["label"], MIXTURE.predict(other[FEATURES]))


def test_nothing_is_lost(tmp_path):
    out = tmp_path / "out"
    source = stored(FRAME, tmp_path)
    MIXTURE.predict_to_parquet(source, out, key="name")
    with pytest.raises(FileExistsError, match="exists"):
        MIXTURE.predict_to_parquet(source, out, key="name")
    bad = FRAME.assign(b=np.where(np.arange(N) == 2500, np.nan, FRAME["b"]))
    with pytest.raises(ValueError, match="NaN in row 2500"):
        MIXTURE.predict_to_parquet(bad, out, key="name", overwrite=True)
    assert len(pd.read_parquet(out)) == N
    MIXTURE.predict_to_parquet(FRAME[:10], out, key="name", overwrite=True)
    assert len(pd.read_parquet(out)) == 10
    keys = [name for name in FRAME.reset_index() if name not in FEATURES]
    MIXTURE.predict_to_parquet(source, source, key=keys, overwrite=True)
    assert_array_equal(pd.read_parquet(source)["name"], FRAME["name"])
    fresh(tmp_path / "folder")
    (tmp_path / "folder" / "notes.txt").write_text("dear to me")
    with pytest.raises(FileExistsError, match="not a folder of Parquet files"):
        MIXTURE.predict_to_parquet(FRAME, tmp_path / "folder", overwrite=True)
    with pytest.raises(FileNotFoundError, match="Make it first"):
        MIXTURE.predict_to_parquet(FRAME, tmp_path / "absent" / "out")


def test_bad_requests(tmp_path):
    out = tmp_path / "out"
    for message, settings in {
        "outputs names 'labels'.* Did you mean 'label'": {"outputs": ["labels"]},
        "Parquet has none; give 'float32'": {"dtype": "uint8"},
        "X has no column 'nome'": {"key": "nome"},
        "named twice": {"key": ["name", "name"]},
    }.items():
        with pytest.raises(ValueError, match=message):
            MIXTURE.predict_to_parquet(FRAME, out, **settings)
    with pytest.raises(ValueError, match=r"The key 'label' \(--key\) is called"):
        MIXTURE.predict_to_parquet(FRAME.assign(label=1), out, key="label")
    with pytest.raises(DataError, match="no column 'c'"):
        MIXTURE.predict_to_parquet(FRAME[["a", "b", "name"]], out, key="name")
    with pytest.raises(DataError, match="2 features"):
        NAMELESS.predict_to_parquet(FRAME[["a", "b", "name"]], out, key="name")
    for x in (X, da.from_array(X)):
        with pytest.raises(TypeError, match="not a table"):
            MIXTURE.predict_to_parquet(x, out)
    with pytest.raises(SourceError, match="holds no Parquet files"):
        MIXTURE.predict_to_parquet("x.zarr", out)
    mixed = dd.from_pandas(FRAME, npartitions=2).map_partitions(
        lambda part: part.assign(name=part["name"] if part["number"].iloc[0] < N - 1 else 1.5),
        meta=FRAME[:0],
    )
    with pytest.raises(DataError, match="one type"):
        MIXTURE.predict_to_parquet(mixed, out, key="name")
    with pytest.raises(ValueError, match="predict_to_parquet"):
        MIXTURE.predict_to_zarr(of_unknown_length(FRAME, tmp_path), out)


def test_at_a_url(tmp_path):
    url = f"memory://daskgmm-tests/{tmp_path.name}/out"
    MIXTURE.predict_to_parquet(FRAME, url, key=KEYS)
    MIXTURE.predict_to_parquet(FRAME, tmp_path / "out", key=KEYS)
    pd.testing.assert_frame_equal(pd.read_parquet(url), pd.read_parquet(tmp_path / "out"))
    with pytest.raises(FileExistsError):
        MIXTURE.predict_to_parquet(FRAME, url, key=KEYS)


@pytest.mark.slow
def test_on_a_cluster(tmp_path, monkeypatch):
    from distributed import Client, LocalCluster

    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-7)
    forms = {form: FORMS[form](FRAME, fresh(tmp_path / form)) for form in ("path", "dask")}
    for form, x in forms.items():
        MIXTURE.predict_to_parquet(x, tmp_path / f"{form} here", ALL, key=KEYS)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster),
    ):
        for form, x in forms.items():
            MIXTURE.predict_to_parquet(x, tmp_path / f"{form} there", ALL, key=KEYS)
    for form in forms:
        here, there = parts(tmp_path / f"{form} here"), parts(tmp_path / f"{form} there")
        assert [path.name for path in here] == [path.name for path in there]
        for one, other in zip(here, there, strict=True):
            assert pq.read_table(one).equals(pq.read_table(other))


@pytest.mark.parametrize(
    "names", [[0, 1, 2], [0, 1, "k"], [2020.5, 1, 7], pd.date_range("2020", periods=3)]
)
@pytest.mark.parametrize("of_dask", [False, True])
def test_names_of_columns_that_are_no_texts(names, of_dask, tmp_path):
    """pandas reads names of its columns as what they are told to be: those of keys are texts."""
    x = np.random.default_rng(0).normal(size=(40, 3))
    mixture = GaussianMixture(2, random_state=0, max_iter=300, init_params="k-means++", n_init=1)
    frame = pd.DataFrame(x, columns=names)
    rows = dd.from_pandas(frame, npartitions=2) if of_dask else frame
    labels = mixture.fit(x).predict(x)
    mixture.predict_to_parquet(rows, tmp_path / "all.parquet")
    found = pd.read_parquet(tmp_path / "all.parquet")
    assert list(found.columns) == ["label"]
    np.testing.assert_array_equal(found["label"], labels)
    labels = mixture.fit(x[:, :2]).predict(x[:, :2])
    key = frame.columns[2]
    mixture.predict_to_parquet(rows, tmp_path / "keyed.parquet", key=(key,))
    found = pd.read_parquet(tmp_path / "keyed.parquet")
    assert list(found.columns) == [str(key), "label"]
    np.testing.assert_array_equal(found[str(key)], x[:, 2])
    np.testing.assert_array_equal(found["label"], labels)
