"""Promise 2: the memory of a worker is what the plan says, and no function of n."""

import subprocess
import sys

import numpy as np
import pytest
import zarr

from tests.promises.peaks import peak, write

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@pytest.mark.parametrize(("d", "k", "chunk_nbytes"), [(4, 8, 1 << 20), (64, 16, 32 << 20)])
def test_a_worker_takes_no_more_than_the_plan_says(tmp_path, d, k, chunk_nbytes):
    found, planned = peak(write(tmp_path / "x.zarr", 60_000_000 // (4 * d), d, chunk_nbytes), k)
    # And the plan is no empty promise. (It allows for workers that import a script's modules.)
    assert planned / 4 < found <= planned


@pytest.mark.parametrize("settings", [{"pca": 8}, {"covariance_type": "diag", "missing": "drop"}])
def test_wide_rows_take_no_more_than_the_plan_says(tmp_path, settings):
    found, planned = peak(write(tmp_path / "x.zarr", 8000, 1500, 8 << 20), 4, **settings)
    assert planned / 4 < found <= planned


FIT_HERE = """
import sys, warnings
import daskgmm
from daskgmm.passes.memory import peak_memory
warnings.simplefilter("ignore")
settings = {"covariance_type": "diag", "sample_rows": 10_000, "max_iter": 2}
starts = {"random_state": 0, "init_params": "k-means++"}
planned = daskgmm.plan(sys.argv[1], 2, **settings).worker_nbytes
events = []
daskgmm.GaussianMixture(2, **starts, **settings).fit(sys.argv[1], listen=events.append)
assert any(type(event).__name__ == "StartFound" and event.rows < 30_000 for event in events)
print(planned, peak_memory())
"""


def test_starts_on_a_drawn_sample_take_no_more_than_the_plan_says(tmp_path):
    part = np.random.default_rng(0).normal(size=(30_000, 600)).astype(np.float32)
    part[::2] += 1.0
    zarr.create_array(tmp_path / "x.zarr", data=part, chunks=(2000, 600))
    command = [sys.executable, "-c", FIT_HERE, str(tmp_path / "x.zarr")]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    planned, found = map(int, ended.stdout.split())
    assert planned / 4 < found <= planned


def test_ten_times_the_rows_take_the_same_memory(tmp_path):
    few, _ = peak(write(tmp_path / "few.zarr", 1_000_000, 4, 1 << 20), 8)
    many, _ = peak(write(tmp_path / "many.zarr", 10_000_000, 4, 1 << 20), 8)
    assert many < 1.1 * few


SAMPLE_HERE = """
import sys
import dask
import numpy as np
from daskgmm import GaussianMixture
from daskgmm.passes.memory import peak_memory
mixture = GaussianMixture.from_parameters([0.3, 0.7], [[0.0] * 4, [3.0] * 4], np.ones((2, 4)))
with dask.config.set(num_workers=2):
    mixture.sample_to_zarr(int(sys.argv[1]), sys.argv[2], chunks=100_000, seed=0)
print(peak_memory())
"""


def test_ten_times_the_drawn_rows_take_the_same_memory(tmp_path):
    peaks = []
    for rows in (1_000_000, 10_000_000):
        command = [sys.executable, "-c", SAMPLE_HERE, str(rows), str(tmp_path / f"{rows}.zarr")]
        ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        peaks.append(int(ended.stdout))
    assert peaks[1] < 1.1 * peaks[0]
