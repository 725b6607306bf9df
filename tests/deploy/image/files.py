"""The files under test, and how they are read."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "image"
DOCKERFILE = FOLDER / "Dockerfile"
IGNORED = FOLDER / "Dockerfile.dockerignore"
COMPOSE = FOLDER / "compose.yaml"
README = FOLDER / "README.md"


def compose():
    """Return the compose file as a laptop sees it, with every variable at its default."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE.read_text(encoding="utf-8"))
    return yaml.safe_load(re.sub(r"\$\{\w+:\?[^}]*\}", "/data", text))


def argument(name):
    """Return the default of an ARG of the Dockerfile."""
    return re.search(rf"^ARG {name}=(.+)$", DOCKERFILE.read_text(encoding="utf-8"), re.M)[1]
