"""Data twice as large as all the memory that there is."""

import shutil

import numpy as np
import pytest
import zarr

from daskgmm.models.model_file import load_model
from tests.cli.data import ENVIRONMENT
from tests.promises.capped import memory_cap, oom_kills, run

pytestmark = pytest.mark.slow

CAP = 760 << 20
ROWS, D, CHUNK = 6_400_000, 32, 25_000


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "rows.zarr"
    array = zarr.create_array(
        path, shape=(ROWS, D), chunks=(CHUNK, D), dtype="f8", compressors=None
    )
    part = np.random.default_rng(0).normal(size=(CHUNK, D))
    part[::2] += 3
    for first in range(0, ROWS, CHUNK):
        array[first : first + CHUNK] = part
    assert array.nbytes > 2 * CAP
    yield path
    shutil.rmtree(path)


@pytest.fixture
def group():
    with memory_cap(CAP) as group:
        yield group


def test_a_cluster_fits_and_predicts(large, group, tmp_path):
    """Driver, scheduler, two workers and their nannies together stay below the cap."""
    outputs = tmp_path / "model.json", tmp_path / "labels.zarr"
    done = run(group, "-m", "tests.promises.fit_in_a_small_cluster", large, *outputs)
    assert done.returncode == 0, done.stderr
    assert oom_kills(group) == 0
    np.testing.assert_allclose(load_model(outputs[0]).weights_, 0.5, atol=1e-3)
    labels = zarr.open_array(outputs[1] / "label")
    assert np.bincount(labels[-CHUNK:], minlength=2).tolist() == [CHUNK // 2] * 2


def test_the_command_line_fits_and_predicts(large, group, tmp_path):
    command = ("-m", "daskgmm.cli")
    fit = (*command, "fit", large, "-k", 2, "--covariance", "diag", "--max-iter", 1, "-o", "m.json")
    done = run(group, *fit, cwd=tmp_path, env=ENVIRONMENT)
    assert done.returncode in {0, 3}, done.stderr
    planned = run(group, *command, "plan", large, "-k", 2, cwd=tmp_path, env=ENVIRONMENT)
    assert f"memory limit     {CAP / 1e6:.0f} MB" in planned.stdout
    done = run(
        group, *command, "predict", "m.json", large, "-o", "l.zarr", cwd=tmp_path, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    assert oom_kills(group) == 0


def test_loading_the_data_is_killed(large, group):
    done = run(group, "-c", f"import zarr; zarr.open_array({str(large)!r})[:]")
    assert done.returncode == -9
    assert oom_kills(group) == 1
