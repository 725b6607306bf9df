"""Small data on disk, and the command line as a function."""

import numpy as np
import pytest
from click.testing import CliRunner

from daskgmm import GaussianMixture
from daskgmm.cli import main
from daskgmm.cli.exit_codes import INTERRUPTED
from daskgmm.models.model_file import save_model
from tests.cli.data import clusters, write_zarr


@pytest.fixture
def rows():
    return clusters(3000)


@pytest.fixture
def folder(tmp_path, monkeypatch, rows):
    """A working directory with rows.zarr and rows.npy."""
    monkeypatch.chdir(tmp_path)
    write_zarr(tmp_path / "rows.zarr", rows, (701, 3))
    np.save(tmp_path / "rows.npy", rows)
    return tmp_path


@pytest.fixture(scope="session")
def fitted():
    return GaussianMixture(3, random_state=0).fit(clusters(3000))


@pytest.fixture
def model(folder, fitted):
    save_model(fitted, folder / "model.json")
    return "model.json"


@pytest.fixture
def call():
    """Run a command in this process; return its result, which must hold no traceback."""

    def run(*arguments):
        result = CliRunner().invoke(main, [str(each) for each in arguments], prog_name="daskgmm")
        if result.exit_code == INTERRUPTED:  # a signal is meant for the tests, and ends them
            raise KeyboardInterrupt(result.output)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.output
        return result

    return run
