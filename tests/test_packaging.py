"""What a release is made of says one thing: recipe of conda, citation and pyproject.toml."""

import re
import runpy
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
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


@pytest.mark.parametrize("platform", ["linux-64", "osx-arm64"])
def test_rattler_build_accepts_the_recipe(platform):
    """It renders it: every key is known, every template has its values."""
    rattler = pytest.importorskip("rattler_build")
    folder = ROOT / "deploy" / "conda"
    recipe = rattler.Stage0Recipe.from_file(folder / "recipe.yaml")
    here = rattler.PlatformConfig(
        target_platform=platform, build_platform=platform, host_platform=platform
    )
    settings = rattler.RenderConfig(platform=here)
    variants = rattler.VariantConfig.from_file(folder / "variants.yaml")
    (found,) = [each.recipe for each in recipe.render(variants, settings)]
    assert (found.package.name, found.package.version) == ("daskgmm", __version__)
    assert len(found.requirements.run) == len(RECIPE["requirements"]["run"])
    with pytest.raises(Exception, match="stdlib"):
        recipe.render(None, settings)  # of the C library conda-forge's own pinning says


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


def test_what_package_indexes_show_has_no_link_to_a_file(monkeypatch):
    """They show the README alone, and nothing that lies beside it."""
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["tool"]["hatch"]
    assert "readme" in PROJECT["dynamic"]
    assert "readme" not in PROJECT
    stand_in = SimpleNamespace(MetadataHookInterface=object)  # of what builds the package
    monkeypatch.setitem(sys.modules, "hatchling.metadata.plugin.interface", stand_in)
    made = runpy.run_path(str(ROOT / hatch["metadata"]["hooks"]["custom"]["path"]))
    hook, metadata = made["ReadmeHook"](), {}
    hook.root = str(ROOT)
    hook.update(metadata)
    assert metadata["readme"]["content-type"] == "text/markdown"
    text = metadata["readme"]["text"]
    own = (ROOT / "README.md").read_text(encoding="utf8")
    assert re.findall(r"\]\((?!https?:|#)", own)
    assert not re.findall(r"\]\((?!https?:|#)|<img|\]: *(?!https?:)|!\[", text)
    assert "Photograph" not in text
    for words in ("read data", "see LICENSE"):
        assert words in text
    assert len(text) > 0.8 * len(own)
