"""Run the tests at other versions: python -m tests.floors lowest|newest|nightly [pytest's options].

A virtual environment is made, in a temporary folder or in --folder, and the project is installed
there, editable, with its extra `test`. "lowest" installs exactly the lower bounds of
pyproject.toml; "nightly" installs the newest, and then takes what the project computes with from
the index of nightly builds.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.version import Version

from tests.floors.requirements import ROOT, direct, project

KINDS = ("lowest", "newest", "nightly")

EXTRA = "test"

NIGHTLY_INDEX = "https://pypi.anaconda.org/scientific-python-nightly-wheels/simple"

NIGHTLY_EXTRAS = ("parquet", "plot", "xarray")
"""Extras whose packages are taken from there, with those that are always needed."""

QUICK = ("-q", "-n", "2", "-m", "not slow")
"""Options of pytest where none are given."""

NO_ERRORS = (
    "default::DeprecationWarning",
    "default::PendingDeprecationWarning",
    "default::FutureWarning",
    "ignore:numpy.ndarray size changed:RuntimeWarning",  # as NumPy itself has it ignored
)
"""Warnings at the lowest versions, where old libraries meet newer ones of others."""


def main():
    """Install, check, list the versions, and run the tests; exit with the status of pytest."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.floors",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--python", default=sys.executable, help="the interpreter to use")
    parser.add_argument("--folder", type=Path, help="an environment to keep, or one that was kept")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("pytest", nargs=argparse.REMAINDER, help=f"default: {' '.join(QUICK)!r}")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = asked.folder or Path(place, "environment")
        subprocess.run([asked.python, "-m", "venv", folder], check=True)
        python = (folder / "bin" / "python").absolute()
        install(python, asked.kind, Path(place))
        show_versions(python, asked.kind)
        sys.exit(run_tests(python, asked.kind, asked.pytest or QUICK))


def install(python, kind, place):
    """Install the project, and raise `CalledProcessError` where packages do not fit together."""
    wanted = [*pins(place)] if kind == "lowest" else ["--upgrade"]
    pip(python, "install", "-q", *wanted, "-e", f"{ROOT}[{EXTRA}]")
    if kind == "nightly":
        names = direct(project(), NIGHTLY_EXTRAS)
        index = ["--pre", "--extra-index-url", NIGHTLY_INDEX]
        pip(python, "install", "-q", "--upgrade", *index, *names)
    pip(python, "check")


def pins(place):
    """Return the options of pip for exactly the lower bounds."""
    file = place / "lowest.txt"
    each = direct(project(), [EXTRA]).values()
    file.write_text("".join(f"{one.name}=={one.floor}\n" for one in each), encoding="utf8")
    return "-c", str(file)


def pip(python, *words):
    """Run pip there, with what it prints."""
    subprocess.run([python, "-m", "pip", *words], check=True, cwd=ROOT)


def show_versions(python, kind):
    """Print the versions of what the project names; those of "lowest" must be the lower bounds."""
    command = [python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    found = {one["name"].lower().replace("_", "-"): Version(one["version"]) for one in listed}
    about = subprocess.run([python, "-V"], check=True, capture_output=True, text=True).stdout
    print(f"{kind}: {about.strip()}, {len(found)} packages", flush=True)
    for one in direct(project(), [EXTRA]).values():
        print(f"  {one.name:24}{one.floor!s:>12}{found[one.name]!s:>16}", flush=True)
        if kind == "lowest" and found[one.name] != one.floor:
            sys.exit(f"{one.name} is not at its lower bound.")


def run_tests(python, kind, options):
    """Return the exit status of pytest there."""
    filters = [f"-W{each}" for each in NO_ERRORS] if kind == "lowest" else []
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-m", "pytest", *filters, *options]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    main()
