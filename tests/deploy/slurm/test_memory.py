"""Memory is enforced, so that what the other tests ask for is what they get."""

import sys

import pytest


@pytest.mark.parametrize(("megabytes", "state"), [(150, "OUT_OF_MEMORY"), (900, "COMPLETED")])
def test_a_job_of_300_megabytes(slurm, tmp_path, megabytes, state):
    command = f"{sys.executable} -c 'b\"x\" * (300 << 20)'"
    job = slurm.submit(f"--mem={megabytes}M", "--wrap", command, folder=tmp_path)
    assert slurm.wait(job)[0] == state
