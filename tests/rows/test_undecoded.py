"""That Dask arrays of stored numbers are not decoded is said where these declare how.

Reads take turns: netCDF4 crashes where two threads read one file at once.
"""

import warnings

import dask.array as da
import numpy as np
import pytest
import zarr

from daskgmm import GaussianMixture
from daskgmm.errors import DecodingWarning

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")

VALUES = np.random.default_rng(0).integers(0, 50, (200, 2)).astype("i2")

ABOUT = {"_FillValue": np.int16(-1), "scale_factor": np.float64(0.5)}


@pytest.fixture(params=["zarr", "h5py", "netCDF4"])
def opened(request, tmp_path):
    """Return a function that makes a stored array with these attributes."""
    files = []

    def make(about):
        place = tmp_path / f"{len(files)}"
        if request.param == "zarr":
            values = {name: each.item() for name, each in about.items()}
            return zarr.create_array(
                tmp_path / "x.zarr", data=VALUES, chunks=(50, 2), attributes=values, overwrite=True
            )
        if request.param == "h5py":
            files.append(h5py.File(place, "w"))
            files[-1]["v"] = VALUES
            files[-1]["v"].attrs.update(about)
            return files[-1]["v"]
        files.append(netCDF4.Dataset(place, "w"))
        files[-1].createDimension("row", 200)
        files[-1].createDimension("column", 2)
        fill = about.get("_FillValue")
        variable = files[-1].createVariable("v", "i2", ("row", "column"), fill_value=fill)
        variable.set_auto_maskandscale(False)
        variable.setncatts({name: each for name, each in about.items() if name != "_FillValue"})
        variable[:] = VALUES
        return variable

    yield make
    for file in files:
        file.close()


def said(x, **settings):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        GaussianMixture(1).fit(x, **settings)
    return [str(each.message) for each in caught if each.category is DecodingWarning]


@pytest.mark.parametrize("moved", [lambda x: x, lambda x: x[10:190].rechunk((45, 1))])
def test_that_nothing_is_decoded_is_said(opened, moved):
    x = moved(da.from_array(opened(ABOUT), chunks=(50, 2), lock=True))
    (message,) = said(x)
    assert "_FillValue=-1, scale_factor=0.5: that is not applied" in message
    (message,) = said(np.ones((len(x), 1)), sample_weight=x[:, 0])
    assert message.startswith("sample_weight is a Dask array")
    with pytest.warns(DecodingWarning, match="not applied"):
        GaussianMixture(1).fit(VALUES).predict(x)


def test_what_was_computed_or_declares_nothing_is_as_the_user_made_it(opened):
    x = da.from_array(opened(ABOUT), chunks=(50, 2), lock=True)
    assert said(da.where(x == -1, np.nan, x * 0.5)) == []
    assert said(da.from_array(opened({"number": np.int16(3)}), chunks=(50, 2), lock=True)) == []
