"""A module of one's own, imported before the options are looked at: --import."""

import sys

import pytest
from distributed import Client, LocalCluster

from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.models.model_file import load_model
from tests.promises.environments import worker

MODULE = '''
from daskgmm.gaussian.covariance.algebra.axes import AlongAxes
from daskgmm.gaussian.covariance.algebra.statistic import Pooled
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES


class SharedAxes(Structure):
    """One diagonal matrix for all components."""

    name = "shared-axes"
    precision = AlongAxes()
    statistic = Pooled()
    shared = True



STRUCTURES["shared-axes"] = SharedAxes()
'''


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    """Neither path nor modules nor structures stay."""
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    yield
    STRUCTURES.pop("shared-axes", None)
    for name in ("own_axes", "broken"):
        sys.modules.pop(name, None)


@pytest.fixture
def module(folder):
    (folder / "own_axes.py").write_text(MODULE)
    return "own_axes"


def forgotten(name):
    """Leave the state of a process that has not imported the module."""
    STRUCTURES.pop("shared-axes", None)
    sys.modules.pop(name, None)


@pytest.mark.slow
def test_every_command_takes_a_structure_of_a_module(folder, call, module):
    own = ("--covariance", "shared-axes", "--import", module)
    commands = (
        ("plan", "rows.zarr", "-k", 3, *own),
        ("fit", "rows.zarr", "-k", 3, "-o", "m.json", *own),
        ("sweep", "rows.zarr", "-k", "2-3", "-o", "s.json", *own, "--covariance", "full"),
        ("info", "m.json", "--import", module),
        ("predict", "m.json", "rows.zarr", "-o", "l.zarr", "--import", module),
    )
    for command in commands:
        forgotten(module)
        result = call(*command)
        assert result.exit_code == 0, result.output
    assert load_model("m.json").covariance_type == "shared-axes"
    text = " ".join(call("fit", "--import", module, "-h").output.split())
    assert "EVV, shared-axes" in text


def test_without_the_module_the_structure_is_no_choice(folder, call):
    result = call("fit", "rows.zarr", "-k", 3, "-o", "m.json", "--covariance", "shared-axes")
    assert result.exit_code == 2
    assert "'shared-axes' is not one of 'full', 'tied', 'diag', 'spherical'" in result.stderr


def test_a_module_that_cannot_be_imported_is_wrong_usage(folder, call):
    (folder / "broken.py").write_text("raise RuntimeError('half a module')\n")
    for name, why in (
        ("no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("broken", "RuntimeError: half a module"),
        ("own_axes.py", "ModuleNotFoundError"),
        (".own_axes", "TypeError"),
    ):
        result = call("info", "rows.zarr", "--import", name)
        assert result.exit_code == 2
        assert f"'--import': the module {name!r} cannot be imported: {why}" in result.stderr
        assert "PYTHONPATH or in the current directory" in result.stderr


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Port 8787 is already in use")
def test_workers_that_lack_the_module_are_named(folder, call, module):
    """They start where it is not; the command says so, and the workers live on."""
    fit = (
        "fit",
        "rows.zarr",
        "-k",
        3,
        "-o",
        "m.json",
        "--covariance",
        "shared-axes",
        "--import",
        module,
    )
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", silence_logs=50) as cluster,
        Client(cluster) as client,
        worker(client, "import os; os.chdir('/')") as other,
    ):
        result = call(*fit, "--scheduler", cluster.scheduler_address)
        assert result.exit_code == 1
        assert "1 of 1 workers lack own_axes, which the tasks need" in result.stderr
        assert other.poll() is None
        with worker(client, f"import sys; sys.path.append({str(folder)!r})"):
            other.terminate()
            other.wait()
            result = call(*fit, "--scheduler", cluster.scheduler_address)
            assert result.exit_code == 0, result.output
    assert load_model("m.json").covariance_type == "shared-axes"
