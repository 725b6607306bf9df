"""What pyproject.toml asks for: requirements with their extras resolved, and their lower bounds."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]

BOUND = re.compile(r"(?:>=|==)([^,]+)")
"""The lower bound of a requirement, which is all of it: no upper one, no list of exclusions."""


@dataclass(frozen=True)
class Direct:
    """A package that the project names itself.

    Attributes
    ----------
    name : str
        Its normalised name.
    floor : packaging.version.Version
        The lowest version that is allowed.
    """

    name: str
    floor: Version


def project():
    """Return the table ``project`` of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]


def direct(about, extras):
    """Return what a project needs with some extras, by name; extras may name extras of its own."""
    lines = [*about["dependencies"]]
    for extra in extras:
        lines += about["optional-dependencies"][extra]
    found = {}
    for line in lines:
        asked = Requirement(line)
        name = canonicalize_name(asked.name)
        if name == about["name"]:
            found |= direct(about, asked.extras)
        else:
            found[name] = Direct(name, floor(asked))
    return found


def floor(asked):
    """Return the lowest version of a requirement."""
    bound = BOUND.fullmatch(str(asked.specifier))
    if bound is None:
        raise ValueError(f"{asked} has no lower bound, or more than one bound.")
    return Version(bound[1])
