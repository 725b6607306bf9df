"""`daskgmm sample` writes the rows of `sample_to_zarr`."""

import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal

from daskgmm import load_model


def test_sample(folder, call, model):
    done = call("sample", model, "--rows", "2e4", "-o", "s.zarr", "--seed", 3, "--chunks", 7000)
    assert done.stdout == "s.zarr: 20,000 rows\n"
    stored = zarr.open_array("s.zarr", mode="r")
    assert stored.chunks[0] == 7000
    assert_array_equal(stored[:], load_model(model).sample_lazily(20_000, seed=3)[0])
    refused = call("sample", model, "--rows", 10, "-o", "s.zarr")
    assert refused.exit_code == 1
    assert "--overwrite" in refused.stderr
    again = ("sample", model, "--rows", 10, "-o", "s.zarr", "--overwrite", "-q")
    assert call(*again, "--dtype", "float32").stdout == ""
    assert zarr.open_array("s.zarr", mode="r").dtype == np.float32


@pytest.mark.parametrize("number", ["0", "1.5", "many", "nan", "inf"])
def test_no_number_of_rows(folder, call, model, number):
    refused = call("sample", model, "--rows", number, "-o", "s.zarr")
    assert refused.exit_code == 2
    assert "not a number of rows" in refused.stderr
