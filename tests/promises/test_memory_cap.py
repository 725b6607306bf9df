"""Data twice as large as all the memory that there is."""

import shutil

import numpy as np
import pytest
import zarr

from daskgmm.models.model_file import load_model
from tests.cli.data import ENVIRONMENT
from tests.promises.capped import memory_cap, oom_kills, run

pytestmark = pytest.mark.slow

D, CHUNK = 64, 12_500

CAPS = {"cluster": 760 << 20, "alone": 480 << 20}
"""Bytes, of a driver, scheduler and two workers with their nannies, and of one process."""


@pytest.fixture
def group(where):
    with memory_cap(CAPS[where]) as group:
        yield group


@pytest.fixture
def large(where, tmp_path):
    path, rows = tmp_path / "rows.zarr", CHUNK * (1 + 2 * CAPS[where] // (8 * CHUNK * D))
    array = zarr.create_array(
        path, shape=(rows, D), chunks=(CHUNK, D), dtype="f8", compressors=None
    )
    part = np.random.default_rng(0).normal(size=(CHUNK, D))
    part[::2] += 3
    for first in range(0, rows, CHUNK):
        array[first : first + CHUNK] = part
    assert array.nbytes > 2 * CAPS[where]
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize("where", ["cluster"])
def test_a_cluster_fits_and_predicts(large, group, tmp_path):
    """All processes together stay below the cap."""
    outputs = tmp_path / "model.json", tmp_path / "labels.zarr"
    done = run(group, "-m", "tests.promises.fit_in_a_small_cluster", large, *outputs)
    assert done.returncode == 0, done.stderr
    assert oom_kills(group) == 0
    np.testing.assert_allclose(load_model(outputs[0]).weights_, 0.5, atol=1e-3)
    labels = zarr.open_array(outputs[1] / "label")
    assert np.bincount(labels[-CHUNK:], minlength=2).tolist() == [CHUNK // 2] * 2


@pytest.mark.parametrize("where", ["alone"])
def test_the_command_line_fits_and_predicts(large, group, tmp_path):
    command = ("-m", "daskgmm.cli")
    fit = (*command, "fit", large, "-k", 2, "--covariance", "diag", "--max-iter", 1, "-o", "m.json")
    done = run(group, *fit, cwd=tmp_path, env=ENVIRONMENT)
    assert done.returncode in {0, 3}, done.stderr
    planned = run(group, *command, "plan", large, "-k", 2, cwd=tmp_path, env=ENVIRONMENT)
    assert f"memory limit     {CAPS['alone'] / 1e6:.0f} MB" in planned.stdout
    done = run(
        group, *command, "predict", "m.json", large, "-o", "l.zarr", cwd=tmp_path, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    assert oom_kills(group) == 0


@pytest.mark.parametrize("where", ["alone"])
def test_loading_the_data_is_killed(large, group):
    done = run(group, "-c", f"import zarr; zarr.open_array({str(large)!r})[:]")
    assert done.returncode == -9
    assert oom_kills(group) == 1
