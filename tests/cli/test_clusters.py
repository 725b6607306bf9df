"""Clusters that the command line finds by a file, or starts itself."""

import gc
import json
import os
import signal
import stat
import subprocess
import sys
import warnings
from contextlib import contextmanager

import dask
import pytest
from distributed import Client, LocalCluster

from daskgmm.models.model_file import load_model
from tests.cli.data import COMMAND, ENVIRONMENT
from tests.waiting import LONGEST

pytestmark = pytest.mark.slow

FIT = ("fit", "rows.zarr", "-k", 3, "-o", "m.json")
SLURM = (*FIT, "--cluster", "slurm", "--cluster-options", "slurm.yaml")

SETTINGS = """\
adapt: {minimum: 1, maximum: 1}
cores: 1
memory: 1GiB
interface: lo
job_script_prologue: ["export PYTHONPATH=%s"]
scheduler_options: {dashboard_address: "127.0.0.1:0"}
worker_extra_args: [--no-dashboard]
"""

SBATCH = """\
#!/bin/sh
cp "$1" job.sh
setsid sh job.sh >worker.log 2>&1 &
echo $! >>jobs
echo "Submitted batch job $!"
"""
SCANCEL = """\
#!/bin/sh
echo "$1" >>cancelled
kill -TERM -- "-$1"
"""


def write_program(path, text):
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def _unclosed():
    # A SLURMCluster that refuses its keywords says of itself that it was not closed.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed cluster", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture
def queue(folder, monkeypatch, _unclosed):
    """A folder with a queue that runs each job at once, for what is quicker without Slurm."""
    interrupted = signal.getsignal(signal.SIGINT)
    pytest.importorskip("dask_jobqueue", reason="no dask-jobqueue: pip install 'daskgmm[slurm]'")
    signal.signal(signal.SIGINT, interrupted)  # the import sets another handler
    (folder / "bin").mkdir()
    write_program(folder / "bin" / "sbatch", SBATCH)
    write_program(folder / "bin" / "scancel", SCANCEL)
    (folder / "slurm.yaml").write_text(SETTINGS % os.pathsep.join(filter(None, sys.path)))
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    yield folder
    jobs = folder / "jobs"
    for job in jobs.read_text().split() if jobs.exists() else []:
        try:
            os.killpg(int(job), signal.SIGKILL)
        except ProcessLookupError:
            continue


@contextmanager
def shell(*arguments):
    environment = {**ENVIRONMENT, "PATH": os.environ["PATH"]}
    command = [*COMMAND, *map(str, arguments)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def shell_ends(*arguments):
    with shell(*arguments) as running:
        running.communicate(timeout=LONGEST)
    return running.returncode


def test_a_cluster_that_is_started_and_ended(queue, call):
    with shell(*SLURM) as running:
        _, said = running.communicate(timeout=LONGEST)
    assert running.returncode == 0, said
    assert "waiting for a worker of the slurm cluster" in said
    assert (queue / "cancelled").read_text() == (queue / "jobs").read_text()
    call(*FIT[:-1], "local.json")
    assert load_model("m.json").lower_bound_ == load_model("local.json").lower_bound_


def test_sigterm_ends_the_cluster_too(queue):
    with shell(*SLURM, "--tol", 0, "--max-iter", 100_000) as running:
        while "iteration 1 " not in (line := running.stderr.readline()):
            assert line
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=LONGEST)
    assert running.returncode == 130, said
    assert (queue / "cancelled").read_text() == (queue / "jobs").read_text()
    assert not (queue / "m.json").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("coress: 1\nn_workers: 1", ["did not start", "coress", "slurm.yaml"]),
        ("cores: 1\nmemory: 1GiB", ["asks for no workers", "n_workers: 4"]),
        ("cores: 1\nn_workers: 0", ["asks for no workers"]),
        ("cores: 1\nn_workers: two", ["asks for no workers"]),
        ("cores: 1\ncustom_cluster_spec: x", ["asks for no workers"]),
        ("adapt: {maximum: 2}", ["minimum of at least 1"]),
        ("adapt: {minimum: 2}", ["and a maximum"]),
        ("adapt: {minimum: two, maximum: 3}", ["minimum of at least 1"]),
        ("adapt: {minimum: 3, maximum: 2}", ["minimum of at least 1"]),
        ("adapt: 3", ["minimum of at least 1"]),
        ("- cores", ["no `keyword: value`"]),
        ("cores: [", ["cannot be read"]),
    ],
)
def test_settings_that_would_never_run(queue, call, settings, words):
    (queue / "slurm.yaml").write_text(settings)
    failed = call(*SLURM)
    assert failed.exit_code in {1, 2}
    assert all(word in failed.stderr for word in words), failed.stderr
    assert not (queue / "jobs").exists()


def test_a_queue_that_refuses(queue, call, caplog):
    write_program(queue / "bin" / "sbatch", "#!/bin/sh\necho invalid partition >&2\nexit 1\n")
    failed = call(*SLURM)
    assert failed.exit_code == 1
    assert "did not start" in failed.stderr
    assert "invalid partition" in failed.stderr
    assert "Traceback" not in caplog.text


def test_jobs_that_never_work(queue, call):
    """As those whose options `dask worker` does not know."""
    write_program(queue / "bin" / "sbatch", "#!/bin/sh\necho Submitted batch job 999999999\n")
    write_program(queue / "bin" / "scancel", "#!/bin/sh\n")
    failed = call(*SLURM, "--stall-timeout", "1s")
    assert failed.exit_code == 1
    assert "had no worker in 1 s" in failed.stderr
    assert "squeue" in failed.stderr


def test_a_cluster_that_does_not_end_costs_no_model(queue, call, monkeypatch):
    from dask_jobqueue import SLURMCluster

    close = SLURMCluster.close

    def fails(cluster, *arguments, **settings):
        close(cluster, *arguments, **settings)
        raise RuntimeError("no credentials")

    monkeypatch.setattr(SLURMCluster, "close", fails)
    fitted = call(*SLURM)
    assert fitted.exit_code == 0
    assert "Warning: the slurm cluster may not have ended: RuntimeError: no cred" in fitted.stderr
    assert (queue / "m.json").exists()


def test_interrupted_while_it_waits(queue):
    """What a checkpoint holds is said, and exit codes are ours, whatever libraries set."""
    assert shell_ends(*FIT, "--checkpoint", "fit.ckpt", "--tol", 0, "--max-iter", 2) == 3
    write_program(queue / "bin" / "sbatch", "#!/bin/sh\necho Submitted batch job 999999999\n")
    write_program(queue / "bin" / "scancel", "#!/bin/sh\n")
    with shell(*SLURM, "--checkpoint", "fit.ckpt", "--tol", 0, "--overwrite") as running:
        while "waiting for a worker" not in (line := running.stderr.readline()):
            assert line
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=LONGEST)
    assert running.returncode == 130, said
    assert "fit.ckpt holds the fit so far" in said


@pytest.mark.parametrize(
    ("kind", "module"), [("slurm", "dask_jobqueue"), ("kubernetes", "dask_kubernetes.operator")]
)
def test_an_extra_that_is_missing(folder, call, monkeypatch, kind, module):
    monkeypatch.setitem(sys.modules, module, None)
    (folder / "slurm.yaml").write_text("n_workers: 1")
    failed = call(*FIT, "--cluster", kind, "--cluster-options", "slurm.yaml")
    assert failed.exit_code == 2
    assert f"pip install 'daskgmm[{kind}]'" in failed.stderr


def test_nobody_to_log_in_as(folder, call, monkeypatch):
    pytest.importorskip("dask_kubernetes", reason="no dask-kubernetes")
    monkeypatch.setenv("KUBECONFIG", str(folder / "none"))
    (folder / "slurm.yaml").write_text("n_workers: 1")
    failed = call(*FIT, "--cluster", "kubernetes", "--cluster-options", "slurm.yaml")
    assert failed.exit_code == 1
    assert "The kubernetes cluster did not start" in failed.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--cluster", "slurm"),
        ("--cluster-options", "slurm.yaml"),
        ("--scheduler", "tcp://127.0.0.1:1", "--scheduler-file", "s.json"),
        ("--scheduler-file", "s.json", "--cluster", "slurm", "--cluster-options", "slurm.yaml"),
    ],
)
def test_half_a_place_or_two(folder, call, options):
    assert call(*FIT, *options).exit_code == 2


def test_a_scheduler_file(folder, call):
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        (folder / "s.json").write_text(json.dumps({"address": cluster.scheduler_address}))
        planned = call("plan", "rows.zarr", "-k", 3, "--scheduler-file", "s.json")
        assert "Dask cluster of 1 worker" in planned.stdout
        assert call(*FIT, "--scheduler-file", "s.json").exit_code == 0
        assert "daskgmm_iteration" in cluster.scheduler.task_prefixes


def test_a_client_that_is_slow_to_close_costs_no_fit(folder, call, monkeypatch):
    slow = []

    def close(client, *arguments):
        closed(client, *arguments)
        if slow:
            return  # garbage collection closes it again, and bears no error
        slow.append(client)
        raise TimeoutError("join timed out")  # as distributed does, where the machine is busy

    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        closed = Client.close
        monkeypatch.setattr(Client, "close", close)
        assert call(*FIT, "--scheduler", cluster.scheduler_address).exit_code == 0
    assert slow
    assert load_model("m.json").converged_


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "s.json is not there"),
        ("", "not a scheduler's file"),
        ("[]", "not a scheduler's file"),
    ],
)
def test_a_scheduler_file_that_is_none(folder, call, text, words):
    if text is not None:
        (folder / "s.json").write_text(text)
    with dask.config.set({"distributed.comm.timeouts.connect": "300ms"}):
        failed = call(*FIT, "--scheduler-file", "s.json")
    assert failed.exit_code == 1
    assert words in failed.stderr


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("localhost", "tcp://host:8786"),
        ("nonsense://x", "there is no nonsense://"),
        ("tcp://127.0.0.1:abc", "is not an address"),
        ("http://127.0.0.1:8787", "there is no http://"),
        ("", "Nothing, of --scheduler, is not an address"),
        ("rows.zarr", "for --scheduler-file?"),
    ],
)
def test_what_is_no_address(folder, call, address, words):
    """A client of it would hang for a minute when the process ends."""
    refused = call(*FIT, "--scheduler", address)
    assert refused.exit_code == 2
    assert words in refused.stderr


def test_a_file_of_a_scheduler_that_has_ended(folder, call):
    (folder / "s.json").write_text(json.dumps({"address": "tcp://127.0.0.1:1"}))
    with dask.config.set({"distributed.comm.timeouts.connect": "300ms"}):
        failed = call(*FIT, "--scheduler-file", "s.json")
    assert failed.exit_code == 1
    assert "of --scheduler-file s.json" in failed.stderr
    assert "has ended?" in failed.stderr
