"""What README.md says agrees with the manifests, and kubectl knows its commands."""

import re
import shlex
import subprocess

import pytest

from tests.deploy.kubernetes.documented import README
from tests.deploy.kubernetes.pods import quantity
from tests.deploy.kubernetes.rendering import DEPLOY, kubectl, of_kind, overlay
from tests.waiting import LONGEST

BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
TEXT = " ".join(README.split())
NOBODY = "http://127.0.0.1:1"


def requested(pods):
    """Return CPUs and GiB, as the page writes them."""
    cpus, memory = (sum(p.quantity(f"requests.{of}") for p in pods) for of in ("cpu", "memory"))
    return f"{cpus} CPUs and {float(memory / quantity('1Gi')):g} GiB"


def test_what_a_fit_costs(pods_of):
    for name in ("job-s3", "plain-s3"):
        everything = [pod for found in pods_of(name).values() for pod in found]
        assert f"So {requested(everything)} with two workers" in TEXT


def test_what_a_cluster_costs_when_nobody_fits(pods_of):
    least = of_kind(overlay("cluster-s3"), "DaskAutoscaler")["spec"]["minimum"]
    small, plain = pods_of("cluster-s3"), pods_of("plain-s3")
    adaptive = requested([*small["scheduler"], *small["worker"][:least]])
    fixed = requested([*plain["scheduler"], *plain["worker"]])
    assert f"at least {adaptive}, or {fixed}" in TEXT


def commands(begin):
    return [line for block in BLOCKS for line in block.splitlines() if line.startswith(begin)]


@pytest.mark.parametrize("line", commands("kubectl wait"))
def test_kubectl_knows_what_is_waited_for(line):
    """It reads the condition before it asks the server, of which there is none."""
    words = shlex.split(line, comments=True)[1:]
    asked = [kubectl(), f"--server={NOBODY}", *words]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=LONGEST)
    assert done.returncode == 1
    assert "was refused" in done.stderr, done.stderr


def test_a_log_is_asked_for_when_its_pod_runs():
    block = next(block for block in BLOCKS if "kubectl logs" in block)
    steps = ["apply", "--for=create", "--for=condition=Ready", "logs -f daskgmm-runner"]
    assert [step for line in block.splitlines() for step in steps if step in line] == steps


def test_every_overlay_that_is_named_exists():
    named = set(re.findall(r"deploy/kubernetes/overlays/([\w-]+)", README))
    assert "job-s3" in named
    assert named <= {folder.name for folder in (DEPLOY / "overlays").iterdir()}


def test_policies_are_there_before_a_cluster_of_the_command():
    block = next(block for block in BLOCKS if "--cluster kubernetes" in block)
    applied, *_, started = block.splitlines()
    assert applied == "kubectl apply -k deploy/kubernetes/overlays/policies"
    assert "--cluster-options" in started
