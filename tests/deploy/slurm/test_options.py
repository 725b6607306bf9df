"""The job script that slurm.yaml makes of a worker, as it is shipped."""

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
from dask.utils import parse_bytes

from tests.deploy.slurm.site import SHIPPED
from tests.waiting import LONGEST

# In a process of its own: the import would take Ctrl-C from pytest.
RENDER = """
import sys, yaml
from dask_jobqueue.slurm import SLURMJob
options = yaml.safe_load(open(sys.argv[1]).read())
of_the_cluster = {"adapt", "scheduler_options"}
options = {name: value for name, value in options.items() if name not in of_the_cluster}
print(SLURMJob("tcp://127.0.0.1:8786", name="worker", **options).job_script())
"""


def test_dasks_limit_leaves_room_for_the_process_that_watches_the_worker():
    if find_spec("dask_jobqueue") is None:
        pytest.skip("no dask-jobqueue: pip install 'daskgmm[slurm]'")
    command = [sys.executable, "-c", RENDER, str(SHIPPED / "slurm.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST)
    assert done.returncode == 0, done.stderr
    (job,) = re.findall(r"^#SBATCH --mem=(\d+[MG])$", done.stdout, re.MULTILINE)
    (worker,) = re.findall(r"--memory-limit (\S+)", done.stdout)
    assert "--nanny" in done.stdout
    assert parse_bytes(f"{job}iB") - parse_bytes(worker) >= 128 << 20
