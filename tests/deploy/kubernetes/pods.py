"""The pods of rendered manifests, and what the kubelet starts in them."""

import base64
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath

from tests.deploy.kubernetes.creating import created

UNITS = {"m": Decimal("0.001"), "": 1, "k": 10**3, "M": 10**6, "G": 10**9} | {
    f"{letter}i": 1024**power for power, letter in enumerate("KMGT", start=1)
}


@dataclass(frozen=True)
class Pod:
    """A pod that a manifest asks for."""

    name: str
    labels: dict
    spec: dict
    documents: list

    @property
    def container(self):
        """The one container."""
        (container,) = self.spec["containers"]
        return container

    @property
    def role(self):
        """The name of its container: scheduler, worker or driver."""
        return self.container["name"]

    @property
    def command_line(self):
        """What is started, with all variables in their places."""
        words = [*self.container.get("command", []), *self.container["args"]]
        return [_expanded(word, self.environment) for word in words]

    @property
    def environment(self):
        """The variables of the container."""
        found = {}
        for source in self.container.get("envFrom", []):
            found |= self._values(source)
        for entry in self.container.get("env", []):
            found[entry["name"]] = entry.get("value") or self._value_from(entry["valueFrom"])
        return found

    @property
    def files(self):
        """What ConfigMaps and Secrets put into the container: paths, and bytes."""
        places = {each["name"]: each["mountPath"] for each in self.container["volumeMounts"]}
        return {
            PurePosixPath(places[volume["name"]], name): content.encode()
            for volume in self.spec["volumes"]
            for name, content in self._contents(volume).items()
        }

    def quantity(self, resource):
        """Return a number such as that of `limits.memory`."""
        kind, name = resource.split(".")
        return quantity(self.container["resources"][kind][name])

    def _values(self, source):
        if "configMapRef" in source:
            return find(self.documents, "ConfigMap", source["configMapRef"]["name"])["data"]
        return self._secret(source["secretRef"]["name"])

    def _contents(self, volume):
        if "configMap" in volume:
            return find(self.documents, "ConfigMap", volume["configMap"]["name"])["data"]
        return self._secret(volume["secret"]["secretName"]) if "secret" in volume else {}

    def _secret(self, name):
        secret = find(self.documents, "Secret", name)
        coded = secret.get("data", {}).items()
        plain = secret.get("stringData", {})
        return plain | {name: base64.b64decode(value).decode() for name, value in coded}

    def _value_from(self, source):
        if source == {"fieldRef": {"fieldPath": "metadata.name"}}:
            return self.name
        resource = source["resourceFieldRef"]
        assert set(resource) == {"resource"}, "a divisor"
        # In whole units, rounded up, as the kubelet does it.
        return str(-int(-self.quantity(resource["resource"]) // 1))


def quantity(text):
    """Return the number that Kubernetes reads in a quantity."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()
    return Decimal(number) * UNITS[unit]


def _expanded(word, environment):
    return re.sub(r"\$\((\w+)\)", lambda found: environment.get(found[1], found[0]), word)


def pods(documents):
    """Return all pods that the documents ask for, those that the operator makes among them."""
    documents = created(documents)
    return [pod for document in documents for pod in _pods(document, documents)]


def _pods(document, documents):
    name = document["metadata"]["name"]
    if document["kind"] == "Pod":
        yield Pod(name, document["metadata"]["labels"], document["spec"], documents)
    elif document["kind"] in ("Deployment", "Job"):
        template = document["spec"]["template"]
        for number in range(document["spec"].get("replicas", 1)):
            labels = template["metadata"]["labels"]
            yield Pod(f"{name}-{number}", labels, template["spec"], documents)


def find(documents, kind, name):
    """Return a document, or raise where there is none."""
    for document in documents:
        if (document["kind"], document["metadata"]["name"]) == (kind, name):
            return document
    raise AssertionError(f"no {kind} {name}")
