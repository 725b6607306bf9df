"""The command line with data, weights and a checkpoint on the server."""

import json

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

from daskgmm.cli import main
from daskgmm.storage.address import Address
from tests.stores.conftest import KEY, SECRET, N


@pytest.fixture
def call(options):
    """Run a command with options for the store; return what it says."""
    endpoint = options["client_kwargs"]["endpoint_url"]
    given = (f"client_kwargs.endpoint_url={endpoint}", f"key={KEY}", f"secret={SECRET}")

    def run(*arguments):
        line = [*arguments, *(part for each in given for part in ("--storage-option", each))]
        result = CliRunner().invoke(main, list(map(str, line)))
        assert result.exit_code == 0, result.output
        assert SECRET not in result.output
        assert KEY not in result.output
        return result.output

    return run


def test_commands(call, url, weights_url, here, options, tmp_path):
    assert "60,000 rows of 4 features" in call("info", url)
    assert "60,000 of 4 features" in call("plan", url, "-k", 3, "--weights", weights_url)
    model, log = tmp_path / "model.json", tmp_path / "log.jsonl"
    fit = ("fit", url, "-k", 3, "--weights", weights_url, "--checkpoint", here, "--out", model)
    assert "3 components" in call(*fit, "--log-json", log)
    assert SECRET not in log.read_text()
    assert json.loads(Address.of(here, options).read())["format"] == "daskgmm-checkpoint"
    assert "60,000 rows" in call("predict", model, url, "--out", tmp_path / "labels.zarr")
    labels = zarr.open_array(tmp_path / "labels.zarr" / "label", mode="r")[:]
    assert len(labels) == N
    assert set(np.unique(labels)) == {0, 1, 2}
    assert "the best by BIC" in call("sweep", url, "-k", "2,3", "--out", tmp_path / "best.json")
