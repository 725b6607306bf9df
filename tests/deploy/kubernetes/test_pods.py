"""What schemas cannot say: privileges, sizes, and that all that is named exists."""

import copy
import json
from pathlib import Path

import distributed
import pytest
import yaml

from tests.deploy.kubernetes.creating import created
from tests.deploy.kubernetes.documented import claim
from tests.deploy.kubernetes.pods import find, quantity
from tests.deploy.kubernetes.rendering import (
    BY_OPERATOR,
    DRIVEN,
    OVERLAYS,
    composed,
    of_kind,
    overlay,
)
from tests.deploy.kubernetes.restricted import breaches


@pytest.fixture(params=OVERLAYS)
def name(request):
    return request.param


@pytest.fixture
def every_pod(name, pods_of):
    return [pod for found in pods_of(name).values() for pod in found]


def test_each_has_a_scheduler_and_workers_and_a_driver_if_it_fits(name, pods_of):
    counts = {role: len(found) for role, found in pods_of(name).items()}
    assert counts == {"scheduler": 1, "worker": 2, "driver": int(name in DRIVEN)}


def test_pods_are_restricted(every_pod):
    assert {pod.name: breaches(pod.spec) for pod in every_pod if breaches(pod.spec)} == {}


def test_pods_write_to_nothing_but_what_is_mounted(every_pod):
    for pod in every_pod:
        assert pod.container["securityContext"]["readOnlyRootFilesystem"] is True
        mounts = {mount["name"]: mount["mountPath"] for mount in pod.container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
        assert mounts.keys() == volumes.keys()
        assert mounts["tmp"] == "/tmp"
        assert "emptyDir" in volumes["tmp"]


def test_no_pod_may_speak_to_kubernetes(every_pod):
    for pod in every_pod:
        assert pod.spec["automountServiceAccountToken"] is False
        assert "serviceAccountName" not in pod.spec


PRIVILEGED = {
    "runAsUser": lambda spec: spec["securityContext"].update(runAsUser=0),
    "runAsNonRoot": lambda spec: spec["securityContext"].pop("runAsNonRoot"),
    "seccompProfile": lambda spec: spec["securityContext"].pop("seccompProfile"),
    "hostNetwork": lambda spec: spec.update(hostNetwork=True),
    "volume data": lambda spec: spec["volumes"].append({"name": "data", "hostPath": {"path": "/"}}),
    "allowPrivilegeEscalation": lambda spec: _own(spec).pop("allowPrivilegeEscalation"),
    "privileged": lambda spec: _own(spec).update(privileged=True),
    "capabilities.drop": lambda spec: _own(spec).pop("capabilities"),
    "capabilities.add": lambda spec: _own(spec)["capabilities"].update(add=["SYS_ADMIN"]),
    "hostPort": lambda spec: spec["containers"][0].update(
        ports=[{"containerPort": 8787, "hostPort": 8787}]
    ),
}


def _own(spec):
    return spec["containers"][0]["securityContext"]


@pytest.mark.parametrize("breach", PRIVILEGED)
def test_privileges_are_noticed(breach, pods_of):
    (worker, *_) = pods_of("cluster-s3")["worker"]
    spec = copy.deepcopy(worker.spec)
    PRIVILEGED[breach](spec)
    assert breaches(spec) == [breach]


def test_requests_are_within_limits(every_pod):
    for pod in every_pod:
        for resource in ("cpu", "memory"):
            assert 0 < pod.quantity(f"requests.{resource}") <= pod.quantity(f"limits.{resource}")


def test_workers_are_told_their_size(name, pods_of):
    for worker in pods_of(name)["worker"]:
        line = worker.command_line
        memory, threads = (line[line.index(f"--{key}") + 1] for key in ("memory-limit", "nthreads"))
        room = worker.quantity("limits.memory") - int(memory)
        assert quantity("256Mi") <= room < worker.quantity("limits.memory") / 4
        assert int(threads) == worker.quantity("limits.cpu")


def test_all_that_pods_refer_to_exists(every_pod):
    for pod in every_pod:
        for source in pod.container.get("envFrom", []):
            for reference, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if reference in source:
                    assert find(pod.documents, kind, source[reference]["name"])
        for volume in pod.spec["volumes"]:
            if "persistentVolumeClaim" in volume:
                found = volume["persistentVolumeClaim"]["claimName"]
                assert find(pod.documents, "PersistentVolumeClaim", found)


def test_workers_and_driver_see_the_data_alike(name, pods_of):
    roles = pods_of(name)
    worker = roles["worker"][0]
    if name.endswith("pvc"):
        assert _mounts_of_data(worker.spec) == [
            {"name": "data", "mountPath": "/data"},
            {"name": "data", "persistentVolumeClaim": {"claimName": claim()["metadata"]["name"]}},
        ]
    else:
        assert "AWS_SECRET_ACCESS_KEY" in worker.environment
    for driver in roles["driver"]:
        assert _mounts_of_data(driver.spec) == _mounts_of_data(worker.spec)
        credentials = {k: v for k, v in driver.environment.items() if k.startswith("AWS_")}
        assert credentials == {k: v for k, v in worker.environment.items() if k.startswith("AWS_")}
    assert "AWS_SECRET_ACCESS_KEY" not in roles["scheduler"][0].environment


def _mounts_of_data(spec):
    lists = (spec["containers"][0]["volumeMounts"], spec["volumes"])
    return [entry for entries in lists for entry in entries if entry["name"] == "data"]


def test_claims_and_secrets_outlive_the_overlay(name):
    """`kubectl delete -k` deletes what an overlay holds."""
    kinds = {document["kind"] for document in overlay(name)}
    assert not kinds & {"PersistentVolumeClaim", "Secret", "Namespace"}


def test_the_service_leads_to_the_scheduler(name, pods_of):
    roles = pods_of(name)
    service = of_kind(created(overlay(name)), "Service")
    assert service["spec"]["type"] == "ClusterIP"
    chosen = [
        pod.role
        for found in roles.values()
        for pod in found
        if service["spec"]["selector"].items() <= pod.labels.items()
    ]
    assert chosen == ["scheduler"]
    (scheduler,) = roles["scheduler"]
    ports = {port["name"]: port["containerPort"] for port in scheduler.container["ports"]}
    led = {port["port"]: ports[port["targetPort"]] for port in service["spec"]["ports"]}
    assert led == {8786: 8786, 8787: 8787}
    for pod in (*roles["worker"], *roles["driver"]):
        address = f"tcp://{service['metadata']['name']}:8786"
        assert pod.environment["DASK_SCHEDULER_ADDRESS"] == address


def test_deployments_choose_their_own_pods(name):
    deployments = [one for one in created(overlay(name)) if one["kind"] == "Deployment"]
    assert deployments
    for chooses in deployments:
        chosen = [made for made in deployments if _selector(chooses) <= _labels(made)]
        assert chooses in chosen
        assert len({dict(_labels(made))["dask.org/component"] for made in chosen}) == 1


def _selector(deployment):
    return deployment["spec"]["selector"]["matchLabels"].items()


def _labels(deployment):
    return deployment["spec"]["template"]["metadata"]["labels"].items()


def test_others_cannot_reach_a_pod(name, every_pod):
    policy = find(_policies(name), "NetworkPolicy", "daskgmm")["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    (rule,) = policy["ingress"]
    for pod in every_pod:
        for selector in (policy["podSelector"], rule["from"][0]["podSelector"]):
            assert selector["matchLabels"].items() <= pod.labels.items()


@pytest.mark.parametrize("name", [*BY_OPERATOR, "kubecluster"])
def test_the_operator_reaches_the_scheduler(name, pods_of):
    policy = find(_policies(name), "NetworkPolicy", "daskgmm-operator")["spec"]
    selected = policy["podSelector"]["matchLabels"].items()
    roles = pods_of(name)
    assert selected <= roles["scheduler"][0].labels.items()
    assert not any(selected <= pod.labels.items() for pod in (*roles["worker"], *roles["driver"]))


def _policies(name):
    """Return what has the policies: the overlay, or what is applied beside it."""
    return overlay("policies" if name == "kubecluster" else name)


def test_beside_a_cluster_there_are_policies_alone():
    assert {document["kind"] for document in overlay("policies")} == {"NetworkPolicy"}


@pytest.mark.parametrize("name", [*BY_OPERATOR, "kubecluster"])
def test_the_operator_adds_a_route_to_those_of_dask(name, pods_of):
    (scheduler,) = pods_of(name)["scheduler"]
    routes = json.loads(scheduler.environment["DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES"])
    usual = yaml.safe_load((Path(distributed.__file__).parent / "distributed.yaml").read_text())
    usual = usual["distributed"]["scheduler"]["http"]["routes"]
    assert sorted(routes) == sorted([*usual, "distributed.http.scheduler.api"])


@pytest.mark.parametrize("components", [("cluster",), ("job",)])
def test_the_autoscaler_names_the_cluster(tmp_path, components):
    documents = composed(tmp_path, "pvc", *components, "autoscaler")
    spec = of_kind(documents, "DaskAutoscaler")["spec"]
    scheduler = of_kind(created(documents), "Service")
    assert scheduler["metadata"]["labels"]["dask.org/cluster-name"] == spec["cluster"]
    assert 1 <= spec["minimum"] <= spec["maximum"]
