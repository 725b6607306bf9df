"""What an API server would say of a manifest, from its schemas alone.

Dask's kinds are held against the definitions that come with the operator, closed as the server
closes them: a field that the schema does not name is an error (its strict field validation). Their
pods are held against Kubernetes' own schema as well: the operator's is that of an older version.
"""

from functools import cache
from pathlib import Path

import pytest
import yaml

dask_kubernetes = pytest.importorskip(
    "dask_kubernetes", reason="no definitions of the Dask operator: pip install dask-kubernetes"
)
kubernetes_validate = pytest.importorskip(
    "kubernetes_validate", reason="no schemas of Kubernetes: pip install kubernetes-validate"
)
jsonschema = pytest.importorskip("jsonschema", reason="no jsonschema: pip install jsonschema")

DEFINITIONS = (
    Path(dask_kubernetes.__file__).parent / "operator/deployment/helm/dask-kubernetes-operator/crds"
)
VERSIONS = ("1.31", kubernetes_validate.latest_version())
"""From the first that has all we use to the newest that is known."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The definitions have 18,000 lines: a second instead of ten."""

POD_PATHS = {
    "DaskCluster": ("spec.scheduler.spec", "spec.worker.spec"),
    "DaskJob": (
        "spec.job.spec",
        "spec.cluster.spec.scheduler.spec",
        "spec.cluster.spec.worker.spec",
    ),
}


def faults(document):
    """Return the paths of all that is wrong with a document, with what it is."""
    definition = definitions().get((document["apiVersion"], document["kind"]))
    if definition is None:
        return _core_faults(document)
    found = [(path_of(error), error.message) for error in definition.iter_errors(document)]
    for path in POD_PATHS.get(document["kind"], ()):
        spec = at(document, path)
        if spec is not None:
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": spec}
            found += [
                (f"{path}{where.removeprefix('spec')}", message)
                for where, message in _core_faults(pod)
            ]
    return found


def path_of(error):
    """Return where an error is, as `spec.containers.0.name`."""
    return ".".join(map(str, error.absolute_path))


def at(document, path):
    """Return what is at a path of a document; None where there is nothing."""
    for step in path.split("."):
        document = document.get(step) if isinstance(document, dict) else None
    return document


def _core_faults(document):
    found = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append((path_of(error), f"{error.message} (Kubernetes {version})"))
    return found


@cache
def definitions():
    """Return the validators of Dask's kinds."""
    return {
        (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]): _validator(
            version["schema"]["openAPIV3Schema"]
        )
        for file in sorted(DEFINITIONS.glob("*.yaml"))
        for crd in yaml.load_all(file.read_text(), LOADER)
        for version in crd["spec"]["versions"]
    }


def _validator(schema):
    schema = closed(schema)
    # The server checks these itself.
    schema["properties"] |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    return jsonschema.Draft7Validator(schema)


def closed(schema):
    """Return a structural schema that refuses fields it does not name."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    schema = dict(schema)
    if "properties" in schema:
        schema["properties"] = {name: closed(inner) for name, inner in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
    for inside in ("items", "additionalProperties"):
        if isinstance(schema.get(inside), dict):
            schema[inside] = closed(schema[inside])
    return schema
