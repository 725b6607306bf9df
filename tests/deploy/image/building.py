"""What the image is built from, where there is no registry: Debian's packages, and wheels."""

import json
import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from tests.deploy.image.files import DOCKERFILE, FOLDER, ROOT, argument

SUITE, PYTHON = "bookworm", "3.11"
BASE_PACKAGES = "python3,python3-venv,python3-pip"

BASE = """
FROM scratch
ADD base.tar /
"""


def make_base(engine, folder):
    """Make localhost/base; DASKGMM_TEST_BASE names a file that keeps Debian for the next time."""
    kept = os.environ.get("DASKGMM_TEST_BASE")
    tar = Path(kept) if kept else folder / "base.tar"
    if not tar.exists():
        packages = f"--include={BASE_PACKAGES}"
        command = ["mmdebstrap", "--quiet", "--variant=minbase", packages, SUITE, str(tar)]
        subprocess.run(command, check=True)
    if kept:
        (folder / "base.tar").hardlink_to(tar)
    (folder / "Dockerfile").write_text(BASE)
    engine.run("buildah", "bud", "--tag", "localhost/base", folder)
    (folder / "base.tar").unlink()


def download_wheels(folder, packages):
    """Get the wheels of all that is installed here: the same versions give the same bits."""
    constraints = folder / "constraints.txt"
    versions = {each.name: each.version for each in distributions() if each.name != "daskgmm"}
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
    options = ["--only-binary", ":all:", "--python-version", PYTHON, "--constraint", constraints]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder]
    subprocess.run([*pip, *options, *packages], check=True)


def dependencies():
    """Return what the image installs unless it is told otherwise."""
    script = [sys.executable, FOLDER / "requirements.py", argument("EXTRAS")]
    listed = subprocess.run(script, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [*listed.splitlines(), argument("PACKAGES")]


def build(engine, wheels, *options, tag, root=ROOT):
    """Build the image from a local base, and wheels."""
    return engine.run(
        *("buildah", "bud", "--layers", "--pull-never", "--isolation", "chroot"),
        *("--build-context", f"wheels={wheels}", "--build-arg", "BASE=localhost/base", *options),
        *("--tag", tag, "--file", DOCKERFILE.relative_to(ROOT), "."),
        cwd=root,
        timeout=600,
    )


def inspect(engine, image):
    """Return what podman tells about an image."""
    return json.loads(engine.run("podman", "image", "inspect", image).stdout)[0]
