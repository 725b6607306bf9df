"""Tables: Parquet files and data frames, by the names of their columns."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import GaussianMixture, plan, sweep
from daskgmm.errors import DataError, SourceError
from daskgmm.rows.parquet.rows import open_parquet
from tests.oracle.data import blobs

X = blobs(500, 3, 3, separation=10)
NAMES = ["a", "b", "c"]
COUNTS = np.random.default_rng(1).integers(0, 4, len(X))
FRAME = pd.DataFrame(X, columns=NAMES)
METHODS = ["predict", "predict_proba", "score_samples"]

FORMS = {
    "parquet": lambda frame, path: stored(frame, path),
    "rows": lambda frame, path: open_parquet(stored(frame, path)),
    "list of files": lambda frame, path: [
        stored(frame[:200], path, "1.parquet"),
        stored(frame[200:], path, "2.parquet"),
    ],
    "dask": lambda frame, path: dd.from_pandas(frame, npartitions=7, sort=False),
    "polars": lambda frame, path: pl.DataFrame({name: frame[name].to_numpy() for name in frame}),
    "arrow": lambda frame, path: pa.Table.from_pandas(frame),
    "batch": lambda frame, path: pa.RecordBatch.from_pandas(frame),
    "list of tables": lambda frame, path: [
        pa.Table.from_pandas(frame[:200], preserve_index=False),
        pl.from_pandas(frame[200:]),
    ],
    "pandas": lambda frame, path: frame,
}

NOT_PANDAS = [form for form in FORMS if form != "pandas"]


def stored(frame, path, name="x.parquet"):
    table = pa.table({column: frame[column].to_numpy() for column in frame})
    pq.write_table(table, path / name, row_group_size=60)
    return str(path / name)


def fitted(x, sample_weight=None):
    settings = {"random_state": 0, "init_params": "k-means++", "n_init": 1}
    return GaussianMixture(3, **settings).fit(x, sample_weight=sample_weight)


@pytest.fixture(scope="module")
def plain():
    """The mixture of the array, without names."""
    return fitted(X)


@pytest.fixture(scope="module")
def by_name():
    """The mixture of the frame, which knows names."""
    return fitted(FRAME)


@pytest.fixture(scope="module")
def weighted():
    """The mixture of the array with weights."""
    return fitted(X, COUNTS)


def assert_same(found, expected):
    for name in ("weights_", "means_", "covariances_"):
        assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("form", FORMS)
def test_a_fit_is_that_of_the_array(form, plain, tmp_path):
    source = FORMS[form](FRAME, tmp_path)
    found = fitted(source)
    assert_same(found, plain)
    assert list(found.feature_names_in_) == NAMES
    assert found.n_features_in_ == 3
    assert_allclose(found.score(source), plain.score(X))
    assert_allclose(found.bic(source), plain.bic(X))
    assert not hasattr(found.fit(da.from_array(X)), "feature_names_in_")


@pytest.mark.parametrize("form", FORMS)
def test_a_column_of_weights_is_no_feature(form, weighted, tmp_path):
    source = FORMS[form](FRAME.assign(n=COUNTS)[["n", *NAMES]], tmp_path)
    found = GaussianMixture(3, random_state=0)
    labels = found.fit_predict(source, sample_weight="n")
    assert_same(found, weighted)
    assert list(found.feature_names_in_) == NAMES
    assert plan(source, 3, sample_weight="n").features == 3
    assert_array_equal(np.asarray(found.predict(source)), weighted.predict(X))
    assert_array_equal(np.asarray(labels), weighted.predict(X))


def test_weights_beside_the_columns_that_were_chosen(weighted, tmp_path):
    rows = open_parquet(stored(FRAME.assign(n=COUNTS, other=1.0), tmp_path), NAMES)
    assert_same(fitted(rows, "n"), weighted)


@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")  # few sizes
def test_weights_of_a_sweep(tmp_path):
    source = stored(FRAME.assign(n=COUNTS), tmp_path)
    found = sweep(source, range(1, 4), sample_weight="n", weights_are="counts", random_state=0)
    assert list(found.best().feature_names_in_) == NAMES


def test_a_name_that_is_neither_column_nor_path(tmp_path):
    with pytest.raises(
        SourceError, match=r"'m', which is not a column of X \(those are 'a', 'b', 'c'"
    ):
        fitted(stored(FRAME, tmp_path), "m")


def test_weights_of_another_table(weighted, tmp_path):
    source = stored(FRAME, tmp_path)
    weights = stored(pd.DataFrame({"n": COUNTS}), tmp_path, "n.parquet")
    assert_same(fitted(source, weights), weighted)
    with pytest.raises(DataError, match="3 columns, and one is needed"):
        fitted(source, source)
    with pytest.raises(DataError, match="at other rows"):
        fitted(X, weights)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", FORMS)
def test_columns_are_found_by_name(form, method, by_name, plain, tmp_path):
    mixed = FRAME.assign(name="text", other=np.nan)[["other", "c", "a", "name", "b"]]
    found = getattr(by_name, method)(_tabular(form, mixed, tmp_path))
    assert_allclose(np.asarray(found), getattr(plain, method)(X), rtol=1e-7, atol=1e-9)


def _tabular(form, frame, path):
    """Return a source with a column of text; rows are opened by column, as they must be."""
    if form == "rows":
        return open_parquet(stored(frame, path), ["c", "b", "a"])
    return FORMS[form](frame, path)


def test_pandas_with_nothing_but_the_columns_in_another_order(by_name):
    """As scikit-learn wants it."""
    with pytest.raises(ValueError, match="in the same order"):
        by_name.predict(FRAME[NAMES[::-1]])


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_column_is_named(form, by_name, tmp_path):
    source = FORMS[form](FRAME.rename(columns={"b": "z"}), tmp_path)
    for method in [*METHODS, "score"]:
        with pytest.raises(ValueError, match=r"'b'|- b"):
            getattr(by_name, method)(source)


@pytest.mark.parametrize("form", NOT_PANDAS)
def test_a_mixture_without_names_takes_columns_as_they_come(form, plain, tmp_path):
    source = FORMS[form](FRAME, tmp_path)
    assert_array_equal(np.asarray(plain.predict(source)), plain.predict(X))
    with pytest.raises(DataError, match="2 features"):
        plain.predict(FORMS[form](FRAME[["a", "b"]], tmp_path))


@pytest.mark.parametrize("method", METHODS)
def test_parquet_gives_lazy_dask_with_its_row_groups(method, by_name, plain, tmp_path):
    path = stored(FRAME, tmp_path)
    for source in (path, open_parquet(path)):
        found = getattr(by_name, method)(source)
        expected = getattr(plain, method)(X)
        assert isinstance(found, da.Array)
        assert found.chunks[0] == (60,) * 8 + (20,)
        assert found.dtype == expected.dtype
        assert_allclose(found.compute(), expected, atol=1e-9)


def test_parquet_without_rows(by_name, tmp_path):
    path = stored(FRAME[:0], tmp_path)
    assert by_name.predict(path).compute().shape == (0,)
    assert by_name.predict_proba(path).compute().shape == (0, 3)
    with pytest.raises(DataError, match="minimum of 2"):
        fitted(path)


def test_data_frames_of_dask_give_series_and_frames_with_their_index(by_name, plain):
    frame = FRAME.set_index(np.arange(len(X)) * 3 + 1)
    lazy = dd.from_pandas(frame, npartitions=5)
    labels = by_name.predict(lazy)
    assert isinstance(labels, dd.Series)
    assert labels.dtype == np.int64
    expected = pd.Series(plain.predict(X), frame.index, name="component")
    pd.testing.assert_series_equal(labels.compute(), expected)
    densities = by_name.score_samples(lazy).compute()
    assert densities.index.equals(frame.index)
    assert_allclose(densities, plain.score_samples(X))
    posteriors = by_name.predict_proba(lazy)
    assert list(posteriors.columns) == ["component_0", "component_1", "component_2"]
    assert_allclose(posteriors.compute(), plain.predict_proba(X), atol=1e-12)
    together = lazy.assign(component=labels).groupby("component").a.count().compute()
    assert together.sum() == len(X)


def joined_left():
    counts = pd.DataFrame({"k": np.arange(60), "n": np.arange(60) % 7})
    left = dd.from_pandas(counts, npartitions=2)
    right = dd.from_pandas(counts[:50].rename(columns={"n": "m"}), npartitions=1)
    return left.merge(right, on="k", how="left").set_index("k", sorted=True)


def files_of_which_one_has_nulls(path):
    frame = pd.DataFrame({"n": np.arange(30) % 7, "m": np.arange(30) % 5})
    stored(frame, path, "0.parquet")
    rows = pa.table({"n": frame["n"], "m": pa.array([None, *frame["m"][1:]])})
    pq.write_table(rows, path / "1.parquet")
    return dd.read_parquet(path, split_row_groups=True)


# Dask's own way with an index, as of pandas 3.1.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame")
@pytest.mark.parametrize("source", ["joined", "files"])
def test_integers_of_dask_that_some_partitions_miss(source, tmp_path):
    lazy = joined_left() if source == "joined" else files_of_which_one_has_nulls(tmp_path)
    assert set(map(str, lazy.dtypes)) == {"int64"}
    whole = lazy.compute()
    assert whole["m"].isna().any()
    mixture = GaussianMixture(2, random_state=0, missing="drop")
    expected = mixture.fit(whole)
    found = GaussianMixture(2, random_state=0, missing="drop").fit(lazy)
    assert_allclose(found.means_, expected.means_, rtol=1e-8)
    labels = found.predict(lazy).compute()
    assert_array_equal(labels, found.predict(whole))
    assert_array_equal(labels == -1, whole["m"].isna())
    assert_allclose(found.score(lazy), found.score(whole))
    swept = sweep(lazy, [1], random_state=0, missing="drop").models[0]
    assert_allclose(swept.means_, whole.dropna().mean().to_numpy()[None], rtol=1e-8)
    with pytest.raises(DataError, match=r"NaN in row .*'m'"):
        fitted(lazy)
    with pytest.raises(DataError, match="weight"):
        fitted(lazy[["n"]], sample_weight=lazy["m"])
    found.predict_to_parquet(lazy, tmp_path / "out", key="n")
    written = pq.read_table(tmp_path / "out")["label"].to_numpy()
    assert_array_equal(written, labels)


def test_float32_frames_give_float32(by_name):
    lazy = dd.from_pandas(FRAME.astype(np.float32), npartitions=3)
    for method in ("predict_proba", "score_samples"):
        found = getattr(by_name, method)(lazy)
        kinds = found.dtypes if method == "predict_proba" else [found.dtype]
        assert all(kind == np.float32 for kind in kinds)
        assert np.asarray(found.compute()).dtype == np.float32


def test_empty_partitions(by_name, plain):
    padded = pd.concat([FRAME[:100], FRAME[:150] + 1e6, FRAME[100:]], ignore_index=True)
    lazy = dd.from_pandas(padded, npartitions=13)
    lazy = lazy[lazy["a"] < 1e5]
    assert 0 in lazy.map_partitions(len).compute().tolist()
    assert_same(fitted(lazy), plain)
    assert_array_equal(by_name.predict(lazy).compute(), plain.predict(X))
    assert_allclose(by_name.score(lazy), plain.score(X))


def test_nulls_are_refused_with_row_and_column(by_name, tmp_path):
    counts = pd.array(np.arange(len(X)), dtype="Int64")
    counts[321] = pd.NA
    frame = FRAME.assign(b=counts)
    frame.to_parquet(tmp_path / "x.parquet")
    lazy = dd.from_pandas(frame, npartitions=1)
    polars = pl.DataFrame({"a": X[:, 0], "b": [*range(321), None, *range(322, 500)]})
    for source in (tmp_path / "x.parquet", lazy, polars, frame):
        with pytest.raises(DataError, match=r"NaN in row 321 .*column 1 \('b'\)"):
            fitted(source)
    with pytest.raises(DataError, match=r"row 321 .*index 321.*column 1 \('b'\)"):
        by_name.predict(lazy).compute()
    with pytest.raises(DataError, match=r"row 321, column 1 \('b'\)"):
        by_name.predict(tmp_path / "x.parquet").compute()


@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int32[pyarrow]", "boolean"])
def test_nullable_types_without_nulls(dtype, tmp_path):
    rows = (np.median(X, axis=0) < X) if dtype == "boolean" else np.rint(10 * X)
    frame = pd.DataFrame(rows, columns=NAMES).astype(dtype)
    frame.to_parquet(tmp_path / "x.parquet")
    expected = GaussianMixture(2, random_state=0).fit(rows.astype(float))
    for source in (frame, dd.from_pandas(frame, npartitions=3), tmp_path / "x.parquet"):
        found = GaussianMixture(2, random_state=0).fit(source)
        assert_allclose(found.means_, expected.means_, rtol=1e-8)


def test_text_is_refused_with_the_columns_to_choose(tmp_path):
    frame = FRAME.assign(name="text")
    for form in ("parquet", "dask", "polars", "batch"):
        with pytest.raises(DataError, match=r"'name' .*Leave them out: .*(drop|open_parquet)"):
            fitted(FORMS[form](frame, tmp_path))


def test_labels_are_written(by_name, plain, tmp_path):
    import zarr

    out = tmp_path / "labels.zarr"
    written = by_name.predict_to_zarr(stored(FRAME, tmp_path), out)
    assert written.counts.sum() == written.rows == len(X)
    labels = zarr.open_array(out / "label", mode="r")[:]
    assert_array_equal(labels, plain.predict(X))


def test_a_fit_reads_each_footer_once_a_segment_and_no_other_column(tmp_path, monkeypatch):
    path = stored(FRAME.assign(n=COUNTS, other=1.0), tmp_path)
    columns, sizes = set(), []
    batches = pq.ParquetFile.iter_batches

    def watched(self, batch_size, **kwargs):
        columns.add(tuple(kwargs["columns"]))
        sizes.extend(kwargs["row_groups"])
        return batches(self, batch_size, **kwargs)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", watched)
    rows = open_parquet(path, ["b", "a"])
    assert not sizes
    events = []
    GaussianMixture(2, random_state=0).fit(rows, sample_weight="n", listen=events.append)
    assert columns == {("b", "a"), ("n",)}
    passes = events[-1].passes
    assert len(sizes) == passes * 9 * 2


class WithNames:
    """A table of which scikit-learn makes an array, and whose names it does not see."""

    columns = NAMES
    shape, dtype = X.shape, X.dtype

    def __array__(self, dtype=None, copy=None):
        return X


UNSEEN = {
    "interchange": lambda frame: WithNames(),
    "records": lambda frame: frame.to_records(index=False),
    "structured": lambda frame: frame.to_records(index=False)[:, None],
    "reader": lambda frame: pa.Table.from_pandas(frame).to_reader(),
}


@pytest.mark.parametrize("form", UNSEEN)
def test_names_that_would_be_lost_are_refused(form, by_name, plain):
    for call in (fitted, by_name.predict, plain.score):
        with pytest.raises(DataError, match=r"names of its columns, such as 'a', would be lost"):
            call(UNSEEN[form](FRAME))


LISTED = {
    "frames": ([FRAME, FRAME], "Element 0 .* data frame of pandas.*pandas.concat"),
    "one frame": ([X, FRAME], "Element 1 .* data frame of pandas.*pandas.concat"),
    "series": (
        [FRAME["a"], FRAME["b"]],
        r"Element 0 .* row. .*numpy.stack.*pandas.concat",
    ),
    "one series": ([X[:, 0], FRAME["b"]], "Element 1 .*Series.*numpy.stack.*numpy.column_stack"),
    "index": ((FRAME.index, FRAME.index), "Element 0 .*Index.*numpy.column_stack"),
    "Polars": ([pl.Series(X[:, 0])] * 2, "Element 0 .*polars.*numpy.column_stack"),
    "Arrow": ([pa.array(X[:, 0])] * 2, "Element 0 .*pyarrow.*numpy.column_stack"),
    "structured": ([FRAME.to_records(index=False)] * 2, "Element 0 .* structured array"),
}


@pytest.mark.parametrize("name", LISTED)
def test_tables_in_a_list_are_refused_with_the_call_that_joins_them(name, plain):
    rows, message = LISTED[name]
    for call in (fitted, plain.predict, plain.score, lambda x: plan(x, 2)):
        with pytest.raises(DataError, match=message):
            call(rows)


def test_an_empty_path_is_refused(plain):
    for call in (fitted, plain.predict, plain.save):
        with pytest.raises(ValueError, match="text that is given is empty"):
            call("")


def test_a_kind_of_frame_of_ones_own_is_a_frame(weighted):
    class Frame(pd.DataFrame):
        pass

    frame = Frame(FRAME.assign(n=COUNTS))
    found = fitted(frame, "n")
    assert list(found.feature_names_in_) == NAMES
    assert_array_equal(found.predict(frame), weighted.predict(X))


def test_lazy_polars_is_refused_with_advice():
    with pytest.raises(TypeError, match="sink_parquet"):
        fitted(pl.from_pandas(FRAME).lazy())
