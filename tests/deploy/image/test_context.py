"""What enters the build: buildah reads the ignore file, and says."""

import re
import shutil
import subprocess

import pytest

from tests.deploy.image.files import DOCKERFILE, IGNORED

WANTED = {
    "LICENSE",
    "README.md",
    "daskgmm/__init__.py",
    "daskgmm/em/fit.py",
    "deploy/image/requirements.py",
    "pyproject.toml",
}
UNWANTED = {
    ".env",
    ".git/config",
    ".venv/bin/python",
    "daskgmm/__pycache__/x.pyc",
    "daskgmm/em/__pycache__/x.pyc",
    "deploy/image/compose.yaml",
    "deploy/tls/ca-key.pem",
    "dist/daskgmm-0.1.0.tar.gz",
    "fit.ckpt",
    "rows.zarr/zarr.json",
    "tests/test_files.py",
    "wheels/numpy.whl",
}


@pytest.fixture
def context(tmp_path):
    """Return what a build of a clone that was used gets to see."""
    if shutil.which("buildah") is None:
        pytest.skip("no buildah: apt-get install buildah")
    root = tmp_path / "root"
    for name in WANTED | UNWANTED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()

    def seen(ignoring=True):
        # A Dockerfile of the same name, which copies all there is.
        shutil.copy(IGNORED, root / "deploy" / "image")
        (root / "deploy/image/Dockerfile").write_text("FROM scratch\nCOPY . /\n")
        if not ignoring:
            (root / "deploy/image/Dockerfile.dockerignore").unlink()
        out = tmp_path / "out"
        storage = [
            "--storage-driver",
            "vfs",
            "--root",
            tmp_path / "graph",
            "--runroot",
            tmp_path / "run",
        ]
        build = ["bud", "--isolation", "chroot", "--file", "deploy/image/Dockerfile"]
        subprocess.run(
            ["buildah", *storage, *build, "--output", f"type=local,dest={out}", "."],
            cwd=root,
            check=True,
            capture_output=True,
        )
        return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}

    return seen


def test_only_what_the_image_is_made_of_enters(context):
    assert context() == WANTED


def test_without_the_ignore_file_everything_would(context):
    assert context(ignoring=False) >= WANTED | UNWANTED - {"deploy/image/Dockerfile.dockerignore"}


def test_all_that_the_dockerfile_copies_is_let_in():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(encoding="utf-8"), re.M)
    let_in = re.findall(r"^!(\S+)$", IGNORED.read_text(encoding="utf-8"), re.M)
    assert {name for line in copied for name in line.split()} == set(let_in)
