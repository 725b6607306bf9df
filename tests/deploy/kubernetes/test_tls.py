"""Pods with certificates, as the page on TLS says."""

import re
import shutil
import subprocess
import textwrap
from contextlib import ExitStack

import pytest
import yaml

from daskgmm import load_model
from tests.deploy.command_lines import parsed
from tests.deploy.kubernetes.pods import pods
from tests.deploy.kubernetes.rendering import DEPLOY, composed, kubectl, of_kind, written
from tests.deploy.kubernetes.restricted import breaches
from tests.deploy.kubernetes.rows import K
from tests.deploy.kubernetes.schemas import faults
from tests.promises.slow import bits
from tests.waiting import LONGEST

TLS = DEPLOY.parent / "tls"
_, SECTION = (TLS / "README.md").read_text().split("\n## Kubernetes\n")
SHELL, OVERLAY, *_ = map(textwrap.dedent, re.findall(r"\n\n((?:    .*\n)+)", SECTION))
ADDRESS = "tls://daskgmm-scheduler:8786"
FITS = [("plain", "driver"), ("job",)]
ENDINGS = [*FITS, ("cluster", "driver"), ("predict", "job")]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The Secrets and the ConfigMap that the page makes."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl: apt-get install openssl")
    folder = shutil.copytree(TLS, tmp_path_factory.mktemp("certificates") / "tls")
    dry = f'kubectl() {{ echo ---; {kubectl()} "$@" --dry-run=client --output=yaml; }}\n'
    made = subprocess.run(
        ["sh", "-ec", f"{dry}{SHELL}"],
        cwd=folder, capture_output=True, text=True, check=True, timeout=LONGEST,
    )  # fmt: skip
    _, *made = yaml.safe_load_all(made.stdout)  # the script says a word before
    return made


@pytest.fixture(params=ENDINGS, ids="-".join)
def documents(request, tmp_path):
    return composed(tmp_path, "pvc", "tls", *request.param)


def test_what_is_sent_is_valid(documents, prepared):
    assert [fault for document in [*documents, *prepared] for fault in faults(document)] == []


def test_every_pod_has_the_files_of_its_role(documents, prepared):
    for pod in pods([*documents, *prepared]):
        names = {str(path) for path in pod.files}
        certificates = {f"/etc/daskgmm/tls/{name}.pem" for name in ("ca", "cert", "key")}
        assert names == certificates | {"/etc/dask/tls.yaml", "/etc/dask/timeouts.yaml"}
        (mounted,) = [one["secret"] for one in pod.spec["volumes"] if "secret" in one]
        assert mounted == {"secretName": f"daskgmm-tls-{pod.role}", "defaultMode": 0o440}
        assert pod.spec["securityContext"]["fsGroup"] == 1000
        assert breaches(pod.spec) == []


def test_every_pod_asks_for_tls(documents, prepared):
    found = pods([*documents, *prepared])
    for pod in found:
        if pod.role != "scheduler":
            assert pod.environment["DASK_SCHEDULER_ADDRESS"] == ADDRESS
            assert "tcp://" not in str(pod.spec)
    assert [parsed(pod.command_line)["scheduler"] for pod in found if pod.role == "driver"] == [
        ADDRESS
    ]


def test_the_overlay_of_the_page(tmp_path):
    made = written(tmp_path, yaml.safe_load(OVERLAY))
    assert {"Deployment", "Job"} <= {document["kind"] for document in made}
    assert str(made).count("daskgmm-tls-") == 3


def test_a_fit(prepared, node, quiet, tmp_path_factory):
    """On the operator's scheduler, and a worker of each kind."""
    plain, job = (_pods(tmp_path_factory.mktemp("own"), prepared, *each) for each in FITS)
    with ExitStack() as stack:
        stack.enter_context(node.started(job["scheduler"]))
        assert node.ask("/health") == b"ok"
        for pod in (plain["worker"], job["worker"]):
            stack.enter_context(node.started(pod))
        assert node.run(plain["driver"]) == 0
        page = node.ask("/info/main/workers.html").decode()
    assert bits(load_model(node.data / "model.json")) == bits(quiet)
    assert len(set(re.findall(r"tls://[\d.:]+", page))) >= 2, page
    assert "tcp://" not in page


def _pods(folder, prepared, *components):
    """Return one pod of each role, whose driver fits K components."""
    documents = composed(folder, "pvc", "tls", *components)
    of_kind(documents, "ConfigMap")["data"]["COMPONENTS"] = str(K)
    return {pod.role: pod for pod in pods([*documents, *prepared])}
