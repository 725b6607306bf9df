"""fit.sbatch as it is shipped: whatever ends its jobs, the fit ends in the bits of a quiet one."""

import time
from datetime import UTC, datetime

import pytest

from tests.deploy.slurm.real_slurm import kill
from tests.deploy.slurm.site import ITERATIONS, model_bits
from tests.waiting import wait_for

NOT_CONVERGED = 3
"""Exit code of all these fits, as their tolerance is 0."""

SMALL = ("--mem=1G", "--cpus-per-task=1")

WALLTIME_ITERATIONS = 40
"""Of a second and more: they last until Slurm signals."""


def workers(site, job, *states):
    """Return the worker jobs of a driver."""
    return [
        number
        for number, name in site.slurm.jobs(*states or ("PD", "R")).items()
        if name == f"daskgmm-{job}-worker"
    ]


def registered(site):
    """Return the worker jobs that have reached their scheduler."""
    logs = sorted((site.folder / "logs").glob("dask-worker-*.err"))
    return [log.stem.split("-")[-1] for log in logs if "Registered to" in log.read_text()]


def iterated(site, count):
    wait_for(lambda: len(site.iterations()) >= count, f"iteration {count}")


def ended(site, job):
    """Wait for the end of a fit; nothing may be left of it."""
    assert site.slurm.wait(job) == ("FAILED", NOT_CONVERGED), site.log(job)
    wait_for(lambda: not workers(site, job, "PD", "R", "CG"), "workers to end")


def went_on(site, quiet):
    """The second run took up what the first had done, and no iteration was made twice."""
    first, second = site.told("FitStarted")
    assert first["resumed"] is None
    assert second["resumed"] >= 2
    assert site.iterations() == list(range(1, ITERATIONS + 1))
    assert model_bits(site.model) == quiet


@pytest.fixture(scope="module")
def undisturbed(make_site):
    """Submit a fit that is left alone."""
    site = make_site()
    return site, site.submit("fit.sbatch", *SMALL)


@pytest.fixture(scope="module", autouse=True)
def near_its_walltime(undisturbed, make_site):
    """Submit a fit that is to be signalled two minutes before its walltime; then shorten that.

    The last test waits for it: Slurm looks at walltimes every 30 s.
    """
    site = make_site(WALLTIME_ITERATIONS)
    job = site.submit("fit.sbatch", *SMALL, "--time=60", "--signal=B:USR1@120")
    iterated(site, 2)
    running = site.slurm.job(job)["RunTime"].split(":")
    site.slurm.limit(job, minutes=60 * int(running[0]) + int(running[1]) + 2)
    return site, job


def give_time(site, job):
    """Lengthen the walltime of a job that has requeued itself, unless it ends just now."""
    shown = site.slurm.job(job)
    if shown["Restarts"] != "0" and shown["JobState"] in ("PENDING", "RUNNING"):
        site.slurm.limit(job, minutes=60, check=False)


@pytest.fixture(autouse=True)
def _signalled_once(near_its_walltime):
    give_time(*near_its_walltime)


def test_two_worker_jobs(undisturbed, quiet):
    site, job = undisturbed
    ended(site, job)
    assert model_bits(site.model) == quiet
    assert len(registered(site)) == 2


def test_a_fit_that_has_ended_is_not_run_again(undisturbed, quiet):
    site, job = undisturbed
    ended(site, job)
    passes, written = len(site.told("PassEnded")), site.model.stat().st_mtime_ns
    site.slurm.requeue(job)
    ended(site, job)
    assert site.slurm.job(job)["Restarts"] == "1"
    assert len(site.told("PassEnded")) == passes
    assert site.model.stat().st_mtime_ns != written
    assert model_bits(site.model) == quiet


def test_a_fit_that_fails_is_not_requeued(make_site):
    site = make_site()
    site.settings[0] = str(site.folder / "nothing.zarr")
    job = site.submit("fit.sbatch", *SMALL)
    assert site.slurm.wait(job) == ("FAILED", 1)
    assert "nothing.zarr" in site.log(job)
    assert site.slurm.job(job)["Restarts"] == "0"


def test_scancel_of_a_worker_in_the_middle_of_a_pass(make_site, quiet):
    site = make_site()
    lost = {"DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "1s"}
    job = site.submit("fit.sbatch", *SMALL, environment=lost)
    wait_for(lambda: len(registered(site)) == 2, "two workers to register")
    iterated(site, 2)
    time.sleep(0.3)  # reads alone make a pass last for a second
    victim, other = registered(site)
    struck = datetime.now(UTC)
    site.slurm.ask("scancel", victim)
    wait_for(lambda: set(workers(site, job)) - {victim, other}, "a worker job in its place")
    ended(site, job)
    passes = [datetime.fromisoformat(event["time"]) for event in site.told("PassEnded")]
    assert passes[3] < struck < passes[-1]  # survey, sample, and two iterations came before
    assert model_bits(site.model) == quiet


def test_a_driver_that_is_killed_and_requeued_goes_on(make_site, quiet):
    site = make_site()
    job = site.submit("fit.sbatch", *SMALL)
    iterated(site, 2)
    kill(site.slurm.processes(job))  # the script too, as with a node that is lost
    assert site.slurm.wait(job)[0] == "FAILED"
    site.slurm.requeue(job)
    ended(site, job)
    went_on(site, quiet)


def test_scancel_of_a_driver_ends_its_workers_and_requeued_it_goes_on(make_site, quiet):
    site = make_site()
    job = site.submit("fit.sbatch", *SMALL)
    wait_for(lambda: len(registered(site)) == 2, "two workers to register")
    for number in (job, *registered(site)):
        addresses = site.slurm.listening(number)
        assert len(addresses) >= 2, addresses  # to each other, and for HTTP
        assert set(addresses) == {"127.0.0.1"}
    iterated(site, 2)
    site.slurm.ask("scancel", job)
    assert site.slurm.wait(job)[0] == "CANCELLED"
    wait_for(lambda: not workers(site, job, "PD", "R", "CG"), "workers to end")
    site.slurm.requeue(job)
    ended(site, job)
    went_on(site, quiet)


def test_a_driver_near_its_walltime_requeues_itself(near_its_walltime):
    site, job = near_its_walltime
    wait_for(lambda: site.slurm.job(job)["Restarts"] != "0", "Slurm to signal")
    give_time(site, job)
    ended(site, job)
    assert site.told("FitStarted")[-1]["resumed"] >= 1
    assert site.iterations() == list(range(1, WALLTIME_ITERATIONS + 1))
    assert model_bits(site.model) == site.quiet_bits()
