"""What cannot be rows as it is: the error says which column, and which call helps."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import xarray as xr

from daskgmm import GaussianMixture
from daskgmm.errors import DataError, SourceError
from daskgmm.rows.checks.refusals import check_plain
from daskgmm.rows.opening import as_rows

pytestmark = pytest.mark.slow

N = 20
NUMBERS = np.random.default_rng(0).normal(size=(N, 2)) + np.arange(N)[:, None] % 2 * 8
TIMES = pd.date_range("2020", periods=N)
MIXTURE = GaussianMixture(2, init_params="k-means++", random_state=0).fit(NUMBERS)

OTHERS = {
    "date": TIMES,
    "duration": TIMES - TIMES[0],
    "text": ["x"] * N,
    "category": pd.Categorical(["u", "v"] * (N // 2)),
    "category of numbers": pd.Categorical([1, 2] * (N // 2)),
}
FRAMES = {
    "pandas": lambda frame: frame,
    "dask": lambda frame: dd.from_pandas(frame, npartitions=2),
    "polars": lambda frame: pl.from_pandas(frame),
    "table": lambda frame: pa.Table.from_pandas(frame),
    "batch": lambda frame: pa.RecordBatch.from_pandas(frame),
}


@pytest.mark.parametrize("form", FRAMES)
@pytest.mark.parametrize("kind", OTHERS)
def test_the_column_that_is_no_number_is_named(form, kind):
    if form == "polars" and kind == "category of numbers":
        pytest.skip("Polars has none.")
    frame = pd.DataFrame(NUMBERS, columns=["a", "b"])
    named = GaussianMixture(2, random_state=0).fit(frame)
    frame = FRAMES[form](frame.assign(when=OTHERS[kind]))
    message = r"not numbers: 'when' \(.*Leave them out: X\.drop(_columns)?\((columns=)?\['when'\]\)"
    with pytest.raises(DataError, match=message):
        GaussianMixture(2).fit(frame)
    bad = FRAMES[form](pd.DataFrame({"a": NUMBERS[:, 0], "b": OTHERS[kind]}))
    with pytest.raises(DataError, match=r"not numbers: 'b' \("):
        named.predict(bad)


def test_numbers_in_objects_and_tables_are_taken():
    frame = pd.DataFrame(NUMBERS, columns=["a", "b"])
    expected = GaussianMixture(2, random_state=0).fit(frame).means_
    for x in (frame.astype(object), frame.astype(str), pa.Table.from_pandas(frame)):
        np.testing.assert_allclose(GaussianMixture(2, random_state=0).fit(x).means_, expected)


def blocks(kind):
    x = da.from_array(np.abs(NUMBERS), chunks=(5, 2))
    return x.map_blocks(kind, dtype=float, meta=np.empty((0, 2)))


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score_samples"])
@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.coo_array])
def test_sparse_blocks_of_lazy_predictions(kind, method):
    with pytest.raises(DataError, match=r"scipy.sparse.*block.toarray"):
        getattr(MIXTURE, method)(blocks(kind)).compute()


def test_sparse_blocks_that_are_written(tmp_path):
    with pytest.raises(DataError, match="toarray"):
        MIXTURE.predict_to_zarr(blocks(scipy.sparse.csr_array), tmp_path / "out.zarr")
    assert not list(tmp_path.iterdir())


def test_a_sparse_array_in_memory_and_in_xarray():
    sparse = pytest.importorskip("sparse")
    x = sparse.COO(np.eye(5))
    for fit in (
        lambda: GaussianMixture(1).fit(x),
        lambda: GaussianMixture(1).fit(xr.DataArray(x, dims=("a", "b")), feature_dims="b"),
        lambda: GaussianMixture(1).fit(xr.Dataset({"v": (("a", "b"), x)})),
    ):
        with pytest.raises(DataError, match=r"sparse array.*todense"):
            fit()


def test_quantities_of_pint():
    pint = pytest.importorskip("pint")
    x = NUMBERS * pint.UnitRegistry().m
    with pytest.raises(DataError, match=r"pint.*magnitude"):
        GaussianMixture(1).fit(x)
    with pytest.raises(DataError, match=r"pint.*magnitude"):
        MIXTURE.predict(x)
    with pytest.raises(DataError, match=r"'v' of X holds quantities of pint.*dequantify"):
        GaussianMixture(1).fit(xr.Dataset({"v": (("a", "b"), x)}))


def of_pint(x):
    return pytest.importorskip("pint").UnitRegistry().Quantity(x, "m")


def of_sparse(x):
    kind = pytest.importorskip("sparse").COO
    return x.map_blocks(kind) if isinstance(x, da.Array) else kind(x)


LAZY = da.from_array(np.abs(NUMBERS), chunks=(5, 2))
UNFIT = {
    "pint": lambda: of_pint(np.abs(NUMBERS)),
    "pint over dask": lambda: of_pint(LAZY),
    "sparse": lambda: of_sparse(np.abs(NUMBERS)),
    "sparse over dask": lambda: of_sparse(LAZY),
    "blocks of pint": lambda: blocks(of_pint),
    "blocks of sparse": lambda: blocks(of_sparse),
}


def labelled(x):
    return xr.DataArray(x, dims=("row", "axis"), name="v")


def fit(x, sample_weight=None, **settings):
    return GaussianMixture(2).fit(x, sample_weight=sample_weight, **settings)


PLACES = {
    "list": lambda x: fit([NUMBERS, x]),
    "dataset": lambda x: fit(xr.Dataset({"a": ("row", x[:, 0]), "b": ("row", x[:, 1])})),
    "labelled": lambda x: fit(labelled(x), feature_dims="axis"),
    "weights": lambda x: fit(NUMBERS, x[:, 0]),
    "weights of a list": lambda x: fit([LAZY, LAZY], [x[:, 0], x[:, 0]]),
    "labelled weights": lambda x: fit(
        labelled(LAZY), xr.DataArray(x[:, 0], dims="row"), feature_dims="axis"
    ),
    "prediction": lambda x: MIXTURE.predict([NUMBERS, x]).compute(),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", UNFIT)
def test_units_and_sparse_arrays_wherever_they_are(kind, place):
    x = UNFIT[kind]()
    with pytest.raises(DataError, match=r"pint.*magnitude" if "pint" in kind else "todense"):
        PLACES[place](x)


def test_a_tree_of_datasets():
    tree = xr.DataTree.from_dict({"/deep/one": xr.Dataset({"v": ("x", NUMBERS[:, 0])})})
    with pytest.raises(DataError, match=r"DataTree.*Groups with variables: deep/one"):
        GaussianMixture(1).fit(tree)
    assert check_plain(NUMBERS) is None


CALLS = {
    "x.nc": "open_labelled",
    "x.h5": "open_labelled",
    "x y.TIF": r"feature_dims=\('band',\)",
    "x.grib2": "open_labelled",
    "x.txt": "read_csv",
    "x.txt.gz": "read_csv",
    "x.feather": "polars.read_ipc",
    "x.npz": "numpy.load",
    "x.xlsx": "pandas.read_excel",
}


@pytest.mark.parametrize("name", CALLS)
def test_files_of_other_kinds_name_the_call_that_opens_them(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"whatever is in it")
    with pytest.raises(SourceError, match=CALLS[name]):
        GaussianMixture(1).fit(path)
    with pytest.raises(SourceError, match=CALLS[name]):
        MIXTURE.predict(str(path))
    path.unlink()
    with pytest.raises(SourceError, match="does not exist"):
        GaussianMixture(1).fit(path)


@pytest.mark.parametrize("name", ["x.txt", "x.npy"])
def test_such_files_at_a_url(name, tmp_path):
    (tmp_path / name).write_text("something")
    with pytest.raises(SourceError, match=r"read_csv|\.npy file at a URL"):
        as_rows((tmp_path / name).as_uri())
    with pytest.raises(SourceError, match="does not exist"):
        as_rows(f"file:///nowhere/{name}")
