"""Every overlay is what the API server accepts, and faults are found with their path."""

from dataclasses import dataclass

import pytest
import yaml

from tests.deploy.kubernetes import schemas
from tests.deploy.kubernetes.creating import created
from tests.deploy.kubernetes.documented import own_overlay
from tests.deploy.kubernetes.rendering import (
    DEPLOY,
    OVERLAYS,
    composed,
    of_kind,
    overlay,
    written,
)
from tests.deploy.kubernetes.schemas import faults


@pytest.mark.parametrize("name", [*OVERLAYS, "policies"])
def test_overlays_are_valid(name):
    documents = overlay(name)
    assert documents
    assert [fault for document in documents for fault in faults(document)] == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_the_operator_makes_of_them_is_valid(name):
    assert [fault for document in created(overlay(name)) for fault in faults(document)] == []


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("job", {"DaskJob"}),
        ("predict", {"DaskJob"}),
        ("cluster", {"DaskCluster", "DaskAutoscaler", "Job"}),
        ("plain", {"Deployment", "Service", "Job"}),
    ],
)
@pytest.mark.parametrize("storage", ["pvc", "s3"])
def test_overlays_hold_what_they_say(name, kinds, storage):
    always = {"ConfigMap", "NetworkPolicy"}
    assert {document["kind"] for document in overlay(f"{name}-{storage}")} == kinds | always


def test_the_claim_is_valid():
    assert faults(yaml.safe_load((DEPLOY / "claim.yaml").read_text())) == []


@pytest.mark.parametrize(
    "components", [("job", "autoscaler"), ("cluster",), ("predict", "plain", "driver")]
)
def test_other_overlays_are_valid(tmp_path, components):
    documents = composed(tmp_path, "pvc", *components)
    assert [fault for document in documents for fault in faults(document)] == []


def test_the_overlay_that_the_page_shows(tmp_path):
    documents = written(tmp_path, own_overlay())
    assert [fault for document in documents for fault in faults(document)] == []
    settings, job = of_kind(documents, "ConfigMap"), of_kind(documents, "DaskJob")
    assert settings["data"]["COMPONENTS"] == "3"
    assert settings["data"]["DATA"] == "s3://mine/rows.zarr"
    assert settings["data"]["MODEL"] == "s3://mine/model.json"
    assert job["spec"]["cluster"]["spec"]["worker"]["replicas"] == 12
    assert str(job).count("'image': 'registry.example.org/daskgmm:1.0'") == 3


JOB = "spec.job.spec"
SCHEDULER = "spec.cluster.spec.scheduler.spec"
WORKER = "spec.cluster.spec.worker"
GONE = object()


@dataclass(frozen=True)
class Fault:
    """What is changed in a document of an overlay, and where that shows."""

    overlay: str
    kind: str
    changed: str
    value: object
    found: str

    def put_into(self, document):
        *steps, last = self.changed.split(".")
        for step in steps:
            document = document[int(step) if step.isdigit() else step]
        was = document.pop(last)
        if isinstance(self.value, Renamed):
            document[self.value.name] = was
        elif self.value is not GONE:
            document[last] = self.value


@dataclass(frozen=True)
class Renamed:
    """A field under a name that is misspelt."""

    name: str


FAULTS = {
    "workers as a word": Fault(
        "job-pvc", "DaskJob", f"{WORKER}.replicas", "two", f"{WORKER}.replicas"
    ),
    "misspelt name of a container": Fault(
        "job-pvc", "DaskJob", f"{WORKER}.spec.containers.0.name", Renamed("nme"),
        f"{WORKER}.spec.containers.0",
    ),
    "port that is not a number": Fault(
        "job-s3", "DaskJob", f"{SCHEDULER}.containers.0.ports.0.containerPort", "8786x",
        f"{SCHEDULER}.containers.0.ports.0.containerPort",
    ),
    "misspelt containers": Fault(
        "cluster-pvc", "DaskCluster", "spec.worker.spec.containers", Renamed("containrs"),
        "spec.worker.spec",
    ),
    "autoscaler without a minimum": Fault(
        "cluster-s3", "DaskAutoscaler", "spec.minimum", GONE, "spec"
    ),
    "cluster without a service": Fault(
        "kubecluster", "DaskCluster", "spec.scheduler.service", GONE, "spec.scheduler"
    ),
    "misspelt worker": Fault(
        "cluster-s3", "DaskCluster", "spec.worker", Renamed("workers"), "spec"
    ),
    "limit that is a list": Fault(
        "predict-s3", "DaskJob", f"{JOB}.containers.0.resources.limits.memory", ["4Gi"],
        f"{JOB}.containers.0.resources.limits.memory",
    ),
    "Deployment without a selector": Fault(
        "plain-s3", "Deployment", "spec.selector", GONE, "spec"
    ),
    "misspelt exit codes": Fault(
        "plain-pvc", "Job", "spec.podFailurePolicy.rules.1.onExitCodes", Renamed("onExitCode"),
        "spec.podFailurePolicy.rules.1",
    ),
    "policy with a misspelt selector": Fault(
        "plain-pvc", "NetworkPolicy", "spec.podSelector.matchLabels", Renamed("matchLabel"),
        "spec.podSelector",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_found_where_they_are(name):
    fault = FAULTS[name]
    document = next(one for one in overlay(fault.overlay) if one["kind"] == fault.kind)
    assert faults(document) == []
    fault.put_into(document)
    found = faults(document)
    assert fault.found in [where for where, _ in found], found


def test_a_claim_of_a_list_is_refused():
    claim = yaml.safe_load((DEPLOY / "claim.yaml").read_text())
    claim["spec"]["resources"]["requests"]["storage"] = ["100Gi"]
    assert "spec.resources.requests.storage" in [where for where, _ in faults(claim)]


def test_pods_in_dasks_kinds_are_held_against_kubernetes_too(monkeypatch):
    document = of_kind(overlay("job-pvc"), "DaskJob")
    anything = {(document["apiVersion"], "DaskJob"): schemas.jsonschema.Draft7Validator({})}
    monkeypatch.setattr(schemas, "definitions", lambda: anything)
    assert faults(document) == []
    document["spec"]["cluster"]["spec"]["worker"]["spec"]["containers"][0]["imagePullpolicy"] = "a"
    path = "spec.cluster.spec.worker.spec.containers.0"
    assert [where for where, _ in faults(document)] == [path] * len(schemas.VERSIONS)
