"""fit_mpi.sbatch as it is shipped: scheduler and workers are ranks of one MPI job."""

import shutil
from importlib.util import find_spec

import pytest

from tests.deploy.slurm.site import ITERATIONS, model_bits
from tests.waiting import wait_for

# Open MPI refuses root, and takes nodes with one host name for one node: no shared memory.
HERE = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_btl": "self,tcp",
    "OMPI_MCA_btl_tcp_if_include": "lo",
    "OMPI_MCA_oob_tcp_if_include": "lo",
    "INTERFACE": "lo",
    "DASHBOARD": "127.0.0.1:0",
    "MEMORY_LIMIT": "900MiB",
}


@pytest.fixture(scope="module", autouse=True)
def _mpi(slurm):
    if shutil.which("mpirun") is None:
        pytest.skip("no mpirun: apt-get install -y --no-install-recommends openmpi-bin")
    if find_spec("mpi4py") is None or find_spec("dask_mpi") is None:
        pytest.skip("no dask-mpi, or no mpi4py: pip install 'daskgmm[mpi]'")


def test_four_ranks_that_are_requeued(make_site, quiet):
    site = make_site()
    spread = ("--ntasks=4", "--nodes=2", "--ntasks-per-node=2", "--mem-per-cpu=1G")
    job = site.submit("fit_mpi.sbatch", *spread, environment=HERE)
    wait_for(lambda: len(site.iterations()) >= 2, "two iterations")
    site.slurm.requeue(job)
    assert site.slurm.wait(job) == ("FAILED", 3), site.log(job)
    assert [event["resumed"] is None for event in site.told("FitStarted")] == [True, False]
    assert site.iterations() == list(range(1, ITERATIONS + 1))
    assert model_bits(site.model) == quiet
    assert all(f"dask_mpi-{rank}" in site.log(job) for rank in (1, 2, 3))
    wait_for(lambda: not site.slurm.processes(job), "all ranks to end")
