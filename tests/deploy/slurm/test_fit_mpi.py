"""fit_mpi.sbatch as it is shipped: scheduler and workers are ranks of one MPI job."""

import shutil

import pytest

from tests.deploy.slurm.real_slurm import wait_for
from tests.deploy.slurm.site import ITERATIONS, model_bits

# Open MPI refuses root, and takes nodes with one host name for one node: no shared memory.
HERE = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_btl": "self,tcp",
    "OMPI_MCA_btl_tcp_if_include": "lo",
    "INTERFACE": "lo",
    "DASHBOARD": "127.0.0.1:0",
    "MEMORY_LIMIT": "900MiB",
}
FOUR = ("--ntasks=4", "--mem-per-cpu=1G")


@pytest.fixture(scope="module", autouse=True)
def _mpi(slurm):
    if shutil.which("mpirun") is None:
        pytest.skip("no mpirun: apt-get install -y --no-install-recommends openmpi-bin")
    pytest.importorskip("mpi4py", reason="no mpi4py: pip install 'daskgmm[mpi]'")
    pytest.importorskip("dask_mpi", reason="no dask-mpi: pip install 'daskgmm[mpi]'")


@pytest.mark.parametrize(
    ("launcher", "nodes"),
    # srun's PMIx keeps files in /tmp by the number of the job: virtual nodes would share them.
    [("mpirun", 2), ("srun --mpi=pmix", 1)],
)
def test_four_ranks(make_site, quiet, launcher, nodes):
    site = make_site()
    spread = (f"--nodes={nodes}", f"--ntasks-per-node={4 // nodes}")
    environment = {**HERE, "MPI_LAUNCHER": launcher}
    job = site.submit("fit_mpi.sbatch", *FOUR, *spread, environment=environment)
    assert site.slurm.wait(job) == ("FAILED", 3), site.log(job)
    assert model_bits(site.model) == quiet
    assert all(f"dask_mpi-{rank}" in site.log(job) for rank in (1, 2, 3))
    wait_for(lambda: not site.slurm.processes(job), "all ranks to end", 30)


def test_a_requeued_job_goes_on(make_site, quiet):
    site = make_site()
    job = site.submit("fit_mpi.sbatch", *FOUR, environment=HERE)
    wait_for(lambda: len(site.iterations()) >= 2, "two iterations", 60)
    site.slurm.ask("scontrol", "requeue", job)
    site.slurm.ask("scontrol", "update", f"jobid={job}", "StartTime=now")
    assert site.slurm.wait(job) == ("FAILED", 3), site.log(job)
    assert site.iterations() == list(range(1, ITERATIONS + 1))
    assert model_bits(site.model) == quiet
