"""The image, built from nothing but this repository, Debian and wheels."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tests.deploy.image.building as building
from daskgmm import load_model
from tests.cli.data import COMMAND, ENVIRONMENT, write_zarr
from tests.deploy.image.engine import NEEDED, Engine, missing
from tests.deploy.image.files import ROOT

FIGURES = {}

KERNEL_OF_IMAGE = ENVIRONMENT | {"DASKGMM_KERNEL": "numpy"}
"""The image is built without a C compiler."""

FIT = ["fit", "rows.zarr", "-k", "12", "--tol", "0", "--max-iter", "20", "--quiet"]
"""Ends with the exit code 3: 20 iterations do not converge to nothing."""
NOT_CONVERGED = 3


def pytest_terminal_summary(terminalreporter):
    """Print what was measured."""
    for name, value in FIGURES.items():
        terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def figures():
    return FIGURES


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    if os.environ.get("DASKGMM_TEST_IMAGE") != "1":
        pytest.skip("an image is built and run only with DASKGMM_TEST_IMAGE=1")
    if os.geteuid() != 0:
        pytest.skip("no root: namespaces and mounts need it")
    if lacking := missing():
        pytest.skip(f"no {', '.join(lacking)}: apt-get install {' '.join(NEEDED)}")
    with Engine(tmp_path_factory.mktemp("engine")) as started:
        yield started


@pytest.fixture(scope="session")
def wheels(tmp_path_factory, figures):
    folder = tmp_path_factory.mktemp("wheels")
    started = time.monotonic()
    building.download_wheels(folder, [*building.dependencies(), "hatchling"])
    figures["wheels"] = (
        f"{sum(path.stat().st_size for path in folder.iterdir()) / 1e6:.0f} MB, "
        f"{time.monotonic() - started:.0f} s"
    )
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def company(engine, wheels, tmp_path_factory):
    """Return the secrets of a build whose backend, hatchling, is only on a company's index."""
    folder = tmp_path_factory.mktemp("company")
    project = folder / "simple" / "hatchling"
    project.mkdir(parents=True)
    (wheel,) = wheels.glob("hatchling-*.whl")
    wheel.rename(project / wheel.name)
    certificate, key = folder / "ca.pem", folder / "key.pem"
    names = ["-subj", "/CN=index", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    script = Path(building.__file__).with_name("index.py")
    with engine.start(sys.executable, script, folder, certificate, key) as index:
        settings = folder / "pip.conf"
        port = int(index.stdout.readline())
        settings.write_text(
            f"[global]\nindex-url = https://127.0.0.1:{port}/simple\n"
            "cert = /run/secrets/ca\nconstraint = /wheels/constraints.txt\n"
        )
        yield ["--secret", f"id=pip,src={settings}", "--secret", f"id=ca,src={certificate}"]
        index.kill()


@pytest.fixture(scope="session")
def image(engine, wheels, company, tmp_path_factory, figures):
    started = time.monotonic()
    building.make_base(engine, tmp_path_factory.mktemp("base"))
    figures["base"] = f"{time.monotonic() - started:.0f} s"
    started = time.monotonic()
    building.build(engine, wheels, *company, tag="localhost/daskgmm")
    figures["build"] = f"{time.monotonic() - started:.0f} s"
    return "localhost/daskgmm"


@pytest.fixture(scope="session")
def rows():
    random = np.random.default_rng(0)
    return random.normal(size=(1_000_000, 4)) + 2 * random.integers(0, 3, (1_000_000, 1))


@pytest.fixture
def data(tmp_path, rows):
    """A folder of the user of the image, with rows.zarr in it."""
    write_zarr(tmp_path / "rows.zarr", rows, (20_000, 4))
    os.chown(tmp_path, 1000, 1000)
    yield tmp_path
    shutil.rmtree(tmp_path / "rows.zarr")


def found(model):
    """Return all that a fit found, as bytes."""
    mixture = load_model(model)
    names = ("weights_", "means_", "covariances_", "precisions_cholesky_", "lower_bounds_")
    return {name: np.ascontiguousarray(getattr(mixture, name)).tobytes() for name in names}


@pytest.fixture(scope="session")
def alone(rows, tmp_path_factory):
    """Return a folder with the model and labels of this machine, made without any container."""
    folder = tmp_path_factory.mktemp("alone")
    write_zarr(folder / "rows.zarr", rows, (20_000, 4))
    predict = ["predict", "model.json", "rows.zarr", "--out", "labels.zarr", "--quiet"]
    for arguments, code in (([*FIT, "--out", "model.json"], NOT_CONVERGED), (predict, 0)):
        ended = subprocess.run(COMMAND + arguments, cwd=folder, env=KERNEL_OF_IMAGE)
        assert ended.returncode == code
    shutil.rmtree(folder / "rows.zarr")
    return folder


@pytest.fixture(scope="session")
def changed_code(tmp_path_factory):
    """Return a copy of what the image is built from, with one more line of code."""
    folder = tmp_path_factory.mktemp("changed")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in ("daskgmm", "deploy/image"):
        shutil.copytree(ROOT / name, folder / name)
    with (folder / "daskgmm" / "version.py").open("a") as file:
        file.write("# A change.\n")
    return folder
