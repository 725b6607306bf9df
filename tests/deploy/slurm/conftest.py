"""A real Slurm for the session, and a folder with data for each test."""

import tempfile
from importlib.util import find_spec

import pytest

from tests.deploy.slurm.real_slurm import Slurm, missing
from tests.deploy.slurm.site import ITERATIONS, Site, write_rows


@pytest.fixture(scope="session")
def slurm():
    reason = missing()
    if reason:
        pytest.skip(reason)
    # Sockets have short names, and folders of pytest long ones.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, Slurm(folder) as running:
        yield running


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("slurm-data") / "rows.zarr"
    write_rows(path)
    return path


@pytest.fixture(scope="session")
def make_site(slurm, data, tmp_path_factory):
    """Return a function that makes a folder to submit from."""
    # Not imported: it would take Ctrl-C from pytest.
    if find_spec("dask_jobqueue") is None:
        pytest.skip("no dask-jobqueue: pip install 'daskgmm[slurm]'")

    def make(iterations=ITERATIONS, **changes):
        site = Site(slurm, tmp_path_factory.mktemp("site"), data, iterations)
        site.edit_options(**changes)
        return site

    return make


@pytest.fixture(scope="session")
def quiet(make_site):
    """Return the bits of an undisturbed fit of as many iterations as sites make by default."""
    return make_site().quiet_bits()
