"""What a release is made of says one thing: recipe of conda, citation and pyproject.toml."""

import re
import tomllib
from pathlib import Path

import yaml

from daskgmm import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
RECIPE = yaml.safe_load((ROOT / "deploy" / "conda" / "recipe.yaml").read_text(encoding="utf8"))
CITATION = yaml.safe_load((ROOT / "examples" / "site" / "CITATION.cff").read_text(encoding="utf8"))


def bounds(requirements):
    """Return the lower bound of each requirement by name; conda has no extras."""
    return dict(
        re.fullmatch(r"([\w-]+)(?:\[.*\])? ?>=(.+)", line).groups() for line in requirements
    )


def test_conda_asks_for_the_same_versions_as_pip():
    python = [f"python {PROJECT['requires-python']}"]
    wanted = bounds(PROJECT["dependencies"] + python)
    assert bounds(RECIPE["requirements"]["run"]) == wanted
    assert python[0] in RECIPE["requirements"]["host"]


def test_conda_builds_this_version_and_starts_the_same_commands():
    assert RECIPE["context"]["version"] == __version__
    assert RECIPE["package"]["name"] == PROJECT["name"]
    commands = [f"{name} = {place}" for name, place in PROJECT["scripts"].items()]
    assert RECIPE["build"]["python"]["entry_points"] == commands


def test_summary_licence_and_authors_are_said_alike():
    assert RECIPE["about"]["summary"] == PROJECT["description"]
    assert CITATION["title"] == f"{PROJECT['name']}: {PROJECT['description']}"
    assert RECIPE["about"]["license"] == CITATION["license"] == PROJECT["license"]
    assert CITATION["authors"] == PROJECT["authors"]


def test_the_page_on_citing_has_what_the_file_has():
    page = (ROOT / "examples" / "site" / "citing.md").read_text(encoding="utf8")
    names = [author["name"] for author in CITATION["authors"]]
    assert not [
        text for text in (CITATION["title"], CITATION["license"], *names) if text not in page
    ]
