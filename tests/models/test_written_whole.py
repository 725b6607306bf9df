"""Labels on disk: enough bytes for them, and nothing written of data that change."""

import dask.array as da
import numpy as np
import pytest
import zarr

from daskgmm import GaussianMixture
from daskgmm.errors import DataError
from daskgmm.models.predictions.outputs import Outputs


@pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning")
def test_many_components(tmp_path):
    """300 components need two bytes."""
    x = np.arange(300.0)[:, None]
    mixture = GaussianMixture(300, means_init=x, covariance_type="spherical")
    mixture.set_params(precisions_init=np.full(300, 100.0), max_iter=2, tol=1e9)
    mixture.set_params(weights_init=np.full(300, 1 / 300)).fit(x)
    mixture.predict_to_zarr(x, tmp_path / "p.zarr")
    labels = zarr.open_array(tmp_path / "p.zarr" / "label", mode="r")
    assert labels.dtype == np.int16
    np.testing.assert_array_equal(labels[:], np.arange(300))


def test_types_of_labels():
    sizes = {1: "i1", 2: "i1", 128: "i1", 129: "i2", 32768: "i2", 32769: "i4"}
    found = {
        k: Outputs.of(["label"], k, "float32", 1, missing=True).arrays[0].dtype.str[1:]
        for k in sizes
    }
    assert found == sizes


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, DataError])
def test_what_is_left_of_a_run_that_ended(tmp_path, error):
    """Nothing at its name; and nothing at all where the same call would end again."""
    x = np.random.default_rng(0).normal(size=(1000, 2))
    mixture = GaussianMixture(2, random_state=0).fit(x)

    def stop(done, total):
        raise error

    with pytest.raises(error):
        mixture.predict_to_zarr(x, tmp_path / "p.zarr", progress=stop)
    left = {path.name for path in tmp_path.iterdir()}
    kept = {"p.zarr.partial", "p.zarr.partial.progress.json"}
    assert left == (set() if error is DataError else kept)


def test_data_that_change_while_they_are_read(tmp_path):
    x = np.random.default_rng(0).normal(size=(1000, 2))
    mixture = GaussianMixture(2, random_state=0).fit(x)
    shrinking = da.from_array(x, chunks=(100, 2)).map_blocks(
        lambda block: block[:-1], dtype=x.dtype, meta=np.empty((0, 2))
    )
    with pytest.raises(DataError, match="99, 2"):
        mixture.predict_to_zarr(shrinking, tmp_path / "p.zarr")
    assert not list(tmp_path.iterdir())
