"""What ends a driver reaches it, and its exit code says what becomes of it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from daskgmm.cli.exit_codes import INTERRUPTED, NOT_CONVERGED
from tests.deploy.kubernetes.processes import ROOT
from tests.deploy.kubernetes.rendering import JOBS, of_kind, overlay
from tests.oracle.data import blobs
from tests.waiting import LONGEST

USAGE = 2
KILLED = 137
WEEK = 7 * 24 * 60 * 60
DISRUPTED = [{"type": "DisruptionTarget", "status": "True"}]
"""What Kubernetes says of pods that it evicts, or loses with their node."""

ANSWERING = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(sys.argv[1])))
print("ready", file=sys.stderr, flush=True)
signal.pause()
"""


@pytest.fixture(params=["job-pvc", "predict-s3"])
def wrapped(request, pods_of):
    """What the operator's job starts its driver with."""
    (driver,) = pods_of(request.param)["driver"]
    assert driver.spec["restartPolicy"] == "OnFailure"
    assert driver.spec["activeDeadlineSeconds"] == WEEK
    return driver.container["command"]


@pytest.mark.parametrize("code", [0, 1, USAGE, NOT_CONVERGED, INTERRUPTED, KILLED])
def test_a_driver_that_has_not_converged_is_not_started_again(wrapped, code):
    """By the operator's job, whose pod starts whatever ends with another code than 0."""
    ended = subprocess.run([*wrapped, "sh", "-c", f"exit {code}"], check=False, timeout=LONGEST)
    assert ended.returncode == (0 if code == NOT_CONVERGED else code)


@pytest.mark.parametrize("code", [0, 1, NOT_CONVERGED, INTERRUPTED])
def test_sigterm_reaches_what_process_1_started(wrapped, code):
    with first([*wrapped, sys.executable, "-c", ANSWERING, str(code)]) as process:
        assert process.stderr.readline() == "ready\n"
        terminate(process)
        assert process.wait(LONGEST) == (0 if code == NOT_CONVERGED else code)


def test_a_driver_that_ends_at_once_keeps_its_code(wrapped):
    """Its end may come before the shell waits again, or with another SIGTERM: each a race."""
    at_once = ANSWERING.replace("sys.exit(", "os._exit(").replace("import", "import os,")
    for number in range(15):
        with first([*wrapped, sys.executable, "-S", "-c", at_once, "7"]) as process:
            assert process.stderr.readline() == "ready\n"
            shell = process_1(process)
            os.kill(shell, signal.SIGTERM)
            time.sleep(0.001 * (number % 5))
            with suppress(ProcessLookupError):
                os.kill(shell, signal.SIGTERM)
            assert process.wait(LONGEST) == 7


def test_sigterm_ends_a_fit_as_its_user_would(wrapped, tmp_path):
    np.save(tmp_path / "rows.npy", blobs(n=20_000, d=3, k=3))
    fit = [sys.executable, "-m", "daskgmm.cli", "fit", "rows.npy", "-k", "3", "--threads", "1"]
    endless = ["--out", "m.json", "--checkpoint", "c", "--tol", "0", "--max-iter", "100000"]
    with first([*wrapped, *fit, *endless], tmp_path) as process:
        while not process.stderr.readline().startswith("iteration"):
            assert process.poll() is None
        terminate(process)
        _, said = process.communicate(timeout=LONGEST)
    assert process.returncode == INTERRUPTED
    assert "c holds the fit so far. The same command resumes from there" in said
    assert not (tmp_path / "m.json").exists()


@contextmanager
def first(command, folder=None):
    """Start a command as process 1 where this machine lets us, and as any other elsewhere."""
    with subprocess.Popen(
        [*_alone(), *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _alone():
    alone = ["unshare", "--pid", "--fork", "--kill-child"]
    if shutil.which("unshare") is None:
        return []
    tried = subprocess.run([*alone, "true"], capture_output=True, check=False, timeout=LONGEST)
    return [] if tried.returncode else alone


def terminate(process):
    """Send SIGTERM as the kubelet does: to process 1."""
    os.kill(process_1(process), signal.SIGTERM)


def process_1(process):
    """Return the number that process 1 has outside."""
    known = process.pid
    return int(Path(f"/proc/{known}/task/{known}/children").read_text()) if _alone() else known


@pytest.fixture(params=JOBS)
def job(request):
    spec = of_kind(overlay(request.param), "Job")["spec"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"  # else there is no such policy
    assert spec["backoffLimit"] > 0
    return spec


@pytest.mark.parametrize(
    ("code", "conditions", "action"),
    [
        (INTERRUPTED, DISRUPTED, "Ignore"),  # a node is drained, and the driver ends by itself
        (KILLED, DISRUPTED, "Ignore"),
        (NOT_CONVERGED, DISRUPTED, "Ignore"),  # a new one says the same
        (INTERRUPTED, [], "Count"),  # deleted by hand
        (KILLED, [], "Count"),  # out of memory
        (1, [], "Count"),
        (1, [{"type": "DisruptionTarget", "status": "False"}], "Count"),
        (USAGE, [], "FailJob"),
        (NOT_CONVERGED, [], "FailJob"),
    ],
)
def test_a_job_starts_again_what_may_end_otherwise(job, code, conditions, action):
    """`Ignore` starts a new pod for nothing, `Count` for one of the `backoffLimit`."""
    assert action_on(job["podFailurePolicy"]["rules"], code, conditions) == action


def action_on(rules, code, conditions):
    """Return what Kubernetes does about a failed pod: the first rule that fits it."""
    for rule in rules:
        for asked in rule.get("onPodConditions", []):
            if asked in conditions:
                return rule["action"]
        asked = rule.get("onExitCodes")
        if asked is not None:
            assert asked["operator"] == "In"
            if code in asked["values"]:
                return rule["action"]
    return "Count"
