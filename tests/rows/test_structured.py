"""Structured arrays: fields are columns, and messages say how an array is made of them."""

import re

import dask.array as da
import h5py
import numpy as np
import pytest
import xarray as xr
import zarr
from numpy.lib.recfunctions import structured_to_unstructured
from numpy.testing import assert_array_equal

from daskgmm import GaussianMixture, plan, sweep
from daskgmm.errors import DataError

ROWS = np.random.default_rng(0).normal(size=(60, 3))
FIELDS = np.zeros(60, [("a", "f8"), ("b", "f8"), ("c", "f8")])
for place, name in enumerate("abc"):
    FIELDS[name] = ROWS[:, place]


def saved(folder):
    np.save(folder / "fields.npy", FIELDS)
    return folder / "fields.npy"


def zarr_of(folder):
    stored = zarr.create_array(
        folder / "fields.zarr", shape=60, chunks=20, dtype=FIELDS.dtype, zarr_format=2
    )
    stored[:] = FIELDS
    return stored


def hdf5_of(folder):
    file = h5py.File(folder / "fields.h5", "w")
    return file.create_dataset("fields", data=FIELDS, chunks=(20,))


FORMS = {
    "dask": lambda folder: da.from_array(FIELDS, chunks=20),
    "npy": saved,
    "memory map": lambda folder: np.load(saved(folder), mmap_mode="r"),
    "zarr": zarr_of,
    "path of zarr": lambda folder: zarr_of(folder) and folder / "fields.zarr",
    "hdf5": hdf5_of,
    "list of dask": lambda folder: [da.from_array(FIELDS, chunks=20)] * 2,
    "labelled": lambda folder: xr.DataArray(FIELDS, dims="t"),
}

PLAIN = GaussianMixture(2, init_params="k-means++", random_state=0).fit(ROWS)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "labelled"])
def test_rows_are_refused_before_the_first_pass(tmp_path, form):
    x, events = FORMS[form](tmp_path), []
    calls = {
        "fit": lambda: GaussianMixture(2).fit(x, listen=events.append),
        "sweep": lambda: sweep(x, [2], listen=events.append),
        "plan": lambda: plan(x, 2),
        "predict": lambda: PLAIN.predict(x),
        "score": lambda: PLAIN.score(x),
        "write": lambda: PLAIN.predict_to_zarr(x, tmp_path / "p.zarr"),
    }
    for call in calls.values():
        with pytest.raises(DataError, match="fields are columns") as caught:
            call()
        assert "structured_to_unstructured" in str(caught.value)
        assert "reshape" not in str(caught.value).lower()
    assert not events
    assert not (tmp_path / "p.zarr").exists()


@pytest.mark.parametrize("form", FORMS)
def test_weights_are_refused_with_the_field_to_take(tmp_path, form):
    x, weights = ([ROWS, ROWS] if form.startswith("list") else ROWS), FORMS[form](tmp_path)
    for call in (GaussianMixture(2).fit, PLAIN.score):
        with pytest.raises(DataError, match=r"one number a row .* sample_weight\['a'\]"):
            call(x, sample_weight=weights)


def test_labelled_rows(tmp_path):
    with pytest.raises(DataError, match="fields are columns"):
        GaussianMixture(2).fit(FORMS["labelled"](tmp_path), feature_dims=())


def test_arrays_in_memory_keep_names_by_a_data_frame_or_lose_them_on_purpose():
    for call in (GaussianMixture(2).fit, PLAIN.predict, lambda x: plan(x, 2)):
        with pytest.raises(DataError, match=r"pandas\.DataFrame.*structured_to_unstructured\(X\)"):
            call(FIELDS)


@pytest.mark.parametrize("square", [False, True])
def test_the_advice_for_lazy_arrays_runs(square):
    x = da.from_array(FIELDS.reshape(20, 3) if square else FIELDS, chunks=5)
    with pytest.raises(DataError, match="fields are columns") as caught:
        GaussianMixture(2).fit(x)
    names = {"X": x, "structured_to_unstructured": structured_to_unstructured}
    advice = re.search(r"with (X\S*map_blocks\(.*\))\.$", str(caught.value)).group(1)
    made = eval(advice, names)
    assert made.shape == ROWS.shape
    assert_array_equal(made.compute(), ROWS)
    assert PLAIN.predict(made).compute().shape == (60,)


def test_fields_without_numbers_are_left_out_in_the_advice():
    mixed = np.zeros(9, [("a", "f8"), ("name", "U3"), ("b", "i4")])
    with pytest.raises(DataError, match=r"those of numbers first: \['a', 'b'\].*\(2,\)\)"):
        GaussianMixture(2).fit(da.from_array(mixed, chunks=3))
