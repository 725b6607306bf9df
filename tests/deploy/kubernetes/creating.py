"""What the operator makes of Dask's kinds, by its own functions: the pods that really run."""

import copy

import pytest

controller = pytest.importorskip(
    "dask_kubernetes.operator.controller.controller",
    reason="no Dask operator: pip install dask-kubernetes",
)


def created(documents):
    """Return the documents, with what the operator creates in the place of Dask's kinds."""
    return [made for document in documents for made in _created(copy.deepcopy(document))]


def _created(document):
    match document["kind"]:
        case "DaskCluster":
            return _cluster(document["metadata"]["name"], document["spec"])
        case "DaskJob":
            return _job(document["metadata"]["name"], document["spec"])
        case "DaskAutoscaler":
            return []
    return [document]


def _cluster(name, spec):
    group = f"{name}-default"
    of_group = {"namespace": "default", "cluster_name": name, "annotations": {}, "labels": {}}
    return [
        controller.build_scheduler_deployment_spec(name, spec["scheduler"]["spec"], {}, {}),
        controller.build_scheduler_service_spec(name, spec["scheduler"]["service"], {}, {}),
        *(
            controller.build_worker_deployment_spec(
                group, uuid=str(number), pod_spec=spec["worker"]["spec"], **of_group
            )
            for number in range(spec["worker"]["replicas"])
        ),
    ]


def _job(name, spec):
    pod = controller.build_job_pod_spec(name, name, "default", spec["job"]["spec"], {}, {})
    return [*_cluster(name, spec["cluster"]["spec"]), pod]
