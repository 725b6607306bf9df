"""Integers beyond 2^53 are rounded by float64: each source of rows says so, once."""

import warnings
from decimal import Decimal

import dask.array as da
import dask.dataframe as dd
import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
import zarr

from daskgmm import GaussianMixture, GaussianMixtureClassifier, compare, open_data, sweep
from daskgmm.errors import DataError, ResolutionWarning

N = 60
FIRST = (1 << 60) + 1
LONG = FIRST + np.random.default_rng(0).integers(0, 1 << 59, N)
FRAME = pd.DataFrame({"a": np.random.default_rng(1).normal(size=N), "big": LONG})
GAPS = FRAME.assign(big=FRAME.big.astype("Int64").mask(FRAME.index == 3))
INTEGERS = np.stack([np.arange(N) % 7, LONG], axis=1)


HUGE = FRAME.assign(big=[int(value) << 4 for value in LONG])
DECIMALS = HUGE.assign(big=HUGE.big.map(Decimal))


def parquet(frame, path):
    frame.to_parquet(path / "x.parquet", index=False)
    return str(path / "x.parquet")


def csv(frame, path):
    frame.to_csv(path / "x.csv", index=False)
    return str(path / "x.csv")


def hdf5(path):
    with h5py.File(path / "x.h5", "w") as file:
        file["x"] = INTEGERS
    return h5py.File(path / "x.h5")["x"]


def grid(chunks=None):
    found = xr.Dataset({name: ("row", FRAME[name].to_numpy()) for name in FRAME})
    return found if chunks is None else found.chunk({"row": chunks})


def listed(path):
    column = pa.array(INTEGERS.tolist(), pa.list_(pa.int64(), 2))
    pa.parquet.write_table(pa.table({"emb": column}), path / "x.parquet")
    return str(path / "x.parquet")


SOURCES = {
    "numpy": lambda path: INTEGERS,
    "uint64": lambda path: INTEGERS.astype(">u8"),
    "list": lambda path: [INTEGERS[:30], INTEGERS[30:]],
    "pandas": lambda path: FRAME,
    "pandas Arrow": lambda path: FRAME.astype({"big": "int64[pyarrow]"}),
    "pandas gaps": lambda path: GAPS,
    "polars": lambda path: pl.from_pandas(FRAME),
    "arrow": lambda path: pa.Table.from_pandas(FRAME),
    "dask": lambda path: da.from_array(INTEGERS, chunks=(20, 2)),
    "dask frame": lambda path: dd.from_pandas(FRAME, npartitions=2),
    "zarr": lambda path: zarr.create_array(path / "x.zarr", data=INTEGERS, chunks=(20, 2)),
    "hdf5": hdf5,
    "parquet": lambda path: parquet(FRAME, path),
    "parquet gaps": lambda path: parquet(GAPS, path),
    "parquet lists": listed,
    "csv": lambda path: csv(FRAME, path),
    "CSV beyond 64 bits": lambda path: csv(HUGE, path),
    "parquet decimals": lambda path: parquet(DECIMALS, path),
    "arrow decimals": lambda path: pa.Table.from_pandas(DECIMALS),
    "polars decimals": lambda path: pl.from_arrow(pa.Table.from_pandas(DECIMALS)),
    "objects": lambda path: HUGE.to_numpy(),
    "pandas objects": lambda path: HUGE,
    "pandas decimals": lambda path: DECIMALS,
    "list of lists": lambda path: [[a, int(b)] for a, b in zip(FRAME.a, LONG, strict=True)],
    "xarray": lambda path: grid(),
    "lazy xarray": lambda path: grid(20),
}


BEYOND = ("beyond", "decimals", "objects")


def fitted(x, **settings):
    return GaussianMixture(1, missing="drop", standardise=True, **settings).fit(x)


def told_by(x):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fitted(x)
    return [str(each.message) for each in told if each.category is ResolutionWarning]


@pytest.mark.parametrize("kind", SOURCES)
def test_each_source_says_so(kind, tmp_path):
    x = SOURCES[kind](tmp_path)
    name = "'emb[1]'" if kind == "parquet lists" else "1|'big'"
    told = told_by(x)
    assert len(told) == 1
    apart = "4,096" if any(word in kind for word in BEYOND) else "256"
    assert f"which float64 rounds: its neighbouring values there are up to {apart} apart" in told[0]
    assert any(f"Column {each} of X holds" in told[0] for each in name.split("|"))


def small(path):
    return FRAME.assign(big=FRAME.big // (1 << 20))


def halves(path):
    return FRAME.astype(float)


def floats_among_objects(path):
    return FRAME.astype(float).astype(object)


def list_of_floats(path):
    return FRAME.to_numpy(float).tolist()


def small_decimals(path):
    return pa.Table.from_pandas(DECIMALS.assign(big=DECIMALS.big // (1 << 24)))


def left_out(path):
    return open_data(parquet(FRAME.assign(b=FRAME.a), path), columns=["b", "a"])


OTHERS = [small, halves, left_out, floats_among_objects, list_of_floats, small_decimals]


@pytest.mark.parametrize("make", OTHERS)
def test_others_are_taken_in_silence(make, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(make(tmp_path))


def test_a_fill_value_is_told_as_one():
    x = INTEGERS % 1000
    x[5, 1] = np.iinfo(np.int64).min
    assert ["the smallest int64" in each for each in told_by(x)] == [True]


def test_a_sweep_says_so_once():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        sweep(FRAME, [1, 2], ["diag"], standardise=True, random_state=0)
    assert sum("integers beyond 2^53" in str(each.message) for each in told) == 1


MODEL = GaussianMixture.from_parameters([1.0], [[0.0, 1.6e18]], [np.diag([1.0, 1e34])])
MODEL.n_seen_ = 10.0
STANDARDISED = GaussianMixture(1, standardise=True).fit(FRAME.astype(float))
LABELS = np.arange(N) % 2

WITHOUT_SURVEY = {
    "score": lambda model, x: model.score(x),
    "bic": lambda model, x: model.bic(x),
    "moments": lambda model, x: model.moments(x),
    "update": lambda model, x: model.update(x),
    "map_adapt": lambda model, x: model.map_adapt(x),
    "label_agreement": lambda model, x: model.label_agreement(x, LABELS),
    "compare": lambda model, x: compare(model, model, x),
    "drift": lambda model, x: model.drift(x),
}


def said(ask, *given):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        ask(*given)
    return [str(each.message) for each in told if "integers beyond 2^53" in str(each.message)]


@pytest.mark.parametrize("standardised", [False, True])
@pytest.mark.parametrize("call", WITHOUT_SURVEY)
def test_passes_without_a_survey_say_so(call, standardised):
    model, names = (STANDARDISED, "'big'") if standardised else (MODEL, "1")
    x = pd.concat([FRAME] * 3, ignore_index=True) if standardised else np.tile(INTEGERS, (3, 1))
    if call == "label_agreement":
        x = x[:N]
    told = said(WITHOUT_SURVEY[call], model, x)
    assert len(told) == 1
    assert f"Column {names} of X holds" in told[0]
    assert "up to 256 apart" in told[0]
    floats = x.astype(float)
    assert said(WITHOUT_SURVEY[call], model, floats) == []


@pytest.mark.filterwarnings("ignore::daskgmm.errors.ResolutionWarning")
def test_the_result_of_such_a_pass_is_that_of_the_floats():
    lazy = da.from_array(INTEGERS, chunks=(20, 2))
    assert MODEL.score(lazy) == MODEL.score(lazy.astype(float))
    one, other = MODEL.moments(lazy), MODEL.moments(lazy.astype(float))
    np.testing.assert_array_equal(one.means, other.means)


def test_rows_without_weight_and_fill_values_are_no_long_integers():
    weights = np.ones(N)
    weights[7] = 0
    x = INTEGERS % 1000
    x[7, 1] = FIRST
    assert said(MODEL.score, x) != []
    assert said(lambda: MODEL.score(x, sample_weight=weights)) == []
    x[7, 1] = np.iinfo(np.int64).min
    assert said(MODEL.score, x) == []


def test_a_classifier_says_so():
    classifier = GaussianMixtureClassifier().fit(FRAME.astype(float), LABELS)
    assert len(said(classifier.score, FRAME, LABELS)) == 1


def test_integers_of_128_bits_of_polars_are_refused_with_advice():
    frame = pl.DataFrame(
        {"a": FRAME.a.to_numpy(), "big": pl.Series(HUGE.big.tolist(), dtype=pl.Int128)}
    )
    with pytest.raises(
        DataError, match=r"'big' of X holds integers of 128 bits.*X.drop\(\['big'\]"
    ):
        fitted(frame)
    fitted(frame.with_columns(pl.col(["big"]).cast(pl.Float64)))
