"""A store in many chunks, and what a quiet fit makes of it."""

import warnings

import dask
import pytest
import zarr

from daskgmm import GaussianMixture
from tests.oracle.data import blobs
from tests.promises.slow import SETTINGS, K, bits


@pytest.fixture(scope="session")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("promises") / "rows.zarr"
    zarr.create_array(path, data=blobs(300_000, 4, K, seed=2), chunks=(5000, 4))
    return str(path)


@pytest.fixture(scope="session")
def quiet(stored):
    """Return the bits of an undisturbed fit, on one thread."""
    import dask.array as da

    with dask.config.set(num_workers=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bits(GaussianMixture(**SETTINGS).fit(da.from_zarr(stored)))
