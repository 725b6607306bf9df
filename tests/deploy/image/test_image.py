"""The image itself: built offline, small, of no privilege; it fits and predicts."""

import subprocess

import pytest
import zarr

from tests.deploy.image.building import build, inspect
from tests.deploy.image.conftest import FIT, NOT_CONVERGED, found
from tests.deploy.image.engine import LOCKED_IN


def inside(engine, image, *command, options=(), **settings):
    """Run a command in a container that is locked in and alone."""
    return engine.run(
        *("podman", "run", "--rm", "--network", "none", *LOCKED_IN, *options, image, *command),
        **settings,
    )


def test_only_what_runs_is_in_it(engine, image, figures):
    told = inspect(engine, image)
    figures["image"] = f"{told['Size'] / 1e6:.0f} MB"
    figures["base image"] = f"{inspect(engine, 'localhost/base')['Size'] / 1e6:.0f} MB"
    script = """
        command -v gcc cc make; ls -d /wheels /src /root/.cache /run/secrets/*
        find /opt/daskgmm -type d -name tests -o -type d -name pip
    """
    assert inside(engine, image, "sh", "-c", script, check=False).stdout == ""
    size = int(inside(engine, image, "du", "-sm", "/opt/daskgmm").stdout.split()[0])
    figures["of it daskgmm and what it needs"] = f"{size} MB"
    assert size < 750  # 620 were measured


def test_modules_are_compiled(engine, image):
    # Nothing can be compiled later, where the root is read-only.
    script = """
        cd /opt/daskgmm/lib/python3*/site-packages
        ls numpy/__pycache__/__init__.*.pyc daskgmm/em/__pycache__/loop.*.pyc
    """
    assert len(inside(engine, image, "sh", "-c", script).stdout.split()) == 2


def test_whose_it_is(engine, image):
    settings = inspect(engine, image)["Config"]
    assert settings["User"] == "1000:1000"  # a number: Kubernetes' runAsNonRoot cannot check names
    assert settings["WorkingDir"] == "/work"
    assert not settings.get("Entrypoint")
    assert settings["Labels"]["org.opencontainers.image.licenses"] == "BSD-3-Clause"
    identity = inside(engine, image, "id", "-un").stdout.strip()
    assert identity == "daskgmm"


def test_its_root_cannot_be_written(engine, image):
    ended = inside(engine, image, "touch", "/home/daskgmm/x", check=False)
    assert ended.returncode == 1
    assert "Read-only file system" in ended.stderr


@pytest.mark.parametrize("user", ["1000:1000", "4711:0"])
def test_it_fits_and_predicts(engine, image, alone, data, user):
    data.chmod(0o777)
    options = ["--volume", f"{data}:/work", "--user", user]

    def run(*command, code=0):
        ended = inside(engine, image, "daskgmm", *command, options=options, check=False)
        assert ended.returncode == code, ended.stderr

    run(*FIT, "--out", "model.json", code=NOT_CONVERGED)
    run("predict", "model.json", "rows.zarr", "--out", "labels.zarr", "--quiet")
    assert found(data / "model.json") == found(alone / "model.json")
    labels, expected = (zarr.open_group(each / "labels.zarr")["label"] for each in (data, alone))
    assert (labels[:] == expected[:]).all()


def test_new_code_leaves_the_layer_of_its_dependencies_alone(
    engine, image, wheels, company, changed_code
):
    build(engine, wheels, *company, tag="localhost/changed", root=changed_code)
    before, after = (
        inspect(engine, each)["RootFS"]["Layers"] for each in (image, "localhost/changed")
    )
    changed = [old != new for old, new in zip(before, after, strict=True)]
    assert sum(changed) == 1  # the one of daskgmm's own wheel
    script = "du -sm /opt/daskgmm/lib/python3*/site-packages/daskgmm"
    assert int(inside(engine, "localhost/changed", "sh", "-c", script).stdout.split()[0]) < 20


def test_a_wrong_extra_ends_the_build(engine, image, wheels, company):
    with pytest.raises((AssertionError, subprocess.SubprocessError), match="No extra parkett"):
        build(engine, wheels, *company, "--build-arg", "EXTRAS=parkett", tag="localhost/wrong")
