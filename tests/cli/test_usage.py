"""What is wrong in a command, and not in the data, ends with code 2, before anything is opened."""

import subprocess
import sys

import pytest

from daskgmm import plan
from daskgmm.version import __version__
from tests.cli.data import ENVIRONMENT
from tests.waiting import LONGEST

FIT = ("fit", "none.zarr/rows", "-k", 3, "-o", "m.json")
SWEEP = ("sweep", "none.zarr/rows", "-k", "2-3", "-o", "m.json")
PLAN = ("plan", "none.zarr/rows", "-k", 3)


def test_names_of_python_are_answered_with_the_option(call):
    refused = call(*FIT, "--random-state", 3)
    assert refused.exit_code == 2
    assert "No such option '--random-state'; it is --seed." in refused.stderr


@pytest.mark.parametrize("command", [FIT, SWEEP, PLAN])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--prior", "conjugat"), ["--prior", "'conjugate', 'dirichlet'", "--import"]),
        (("--prior", "conjugat:mean_count=1"), ["--prior", "'conjugate', 'dirichlet'"]),
        (("--prior", "dirichlet:mean_count=1"), ["--prior", "concentration"]),
        (("--covariance", "ful"), ["--covariance"]),
        (("--covariance", "ppca-2"), ["ppca, with --n-factors 2"]),
        (("--components", "0"), ["--components", "1"]),
        (("--pca", "1.5"), ["--pca"]),
        (("--missing", "skip"), ["--missing"]),
    ],
)
def test_misspelt_values(tmp_path, monkeypatch, call, command, options, words):
    """An output that exists is no reason to keep silent about them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.json").write_text("{}")
    refused = call(*command, *options)
    assert refused.exit_code == 2, refused.output
    for word in words:
        assert word in refused.stderr


@pytest.mark.parametrize("command", [FIT, PLAN])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--noise", "--tails", "contaminated"), "both make room for outliers"),
        (("--noise", "--pca", 2), "pca leaves the ranges"),
        (("--tails", "contaminated", "--prior", "conjugate"), "cannot be fitted with a prior"),
    ],
)
def test_settings_that_do_not_go_together(tmp_path, monkeypatch, call, command, options, words):
    monkeypatch.chdir(tmp_path)
    refused = call(*command, *options)
    assert refused.exit_code == 2, refused.output
    assert words in refused.stderr


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (("--noise",), {"noise": True}),
        (("--tails", "contaminated"), {"tails": "contaminated"}),
        (("--prior", "conjugate:mean_count=2", "--tol", 1e-5), {}),
        (("--checkpoint", "new.json"), {"checkpoint": "new.json"}),
        (("--covariance", "ppca", "--n-factors", 1), {"covariance_type": "ppca", "n_factors": 1}),
        (("--init", "random", "--seed", 3, "--reg-covar", 1), {"init_params": "random"}),
    ],
)
def test_a_plan_takes_the_settings_of_a_fit(folder, call, options, settings):
    planned = call("plan", "rows.zarr", "-k", 3, *options)
    assert planned.exit_code == 0, planned.output
    assert planned.stdout == f"{plan('rows.zarr', 3, **settings)}\n"


REFUSED = {
    "--precision float32 --noise": "precision='float32' does not go with these settings",
    "--precision float32 --covariance VEE": "precision='float32' does not go with these settings",
    "--checkpoint absent/c.json": "absent",
    "--checkpoint .": "is a folder",
    "--checkpoint model.json": "is not a checkpoint of daskgmm",
}


@pytest.mark.parametrize("options", REFUSED)
def test_a_plan_refuses_what_a_fit_refuses_before_it_reads(folder, call, model, options):
    (folder / "model.json").write_text("{}")
    asked = ("rows.zarr", "-k", 3, *options.split())
    planned, fitted = call("plan", *asked), call("fit", *asked, "-o", "new.json")
    assert REFUSED[options] in planned.stderr
    assert planned.exit_code == fitted.exit_code != 0
    assert planned.stderr.partition("Error: ")[2] == fitted.stderr.partition("Error: ")[2]


@pytest.mark.parametrize("module", ["daskgmm", "daskgmm.cli"])
def test_the_package_is_a_program(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=LONGEST, check=True,
    )  # fmt: skip
    assert done.stdout == f"daskgmm, version {__version__}\n"


@pytest.mark.parametrize("name", ["q.csv", "q.JSON", "q.txt", "q.npy", "q.nc", "q.h5", "q.tif/"])
def test_predictions_are_not_called_as_files_of_other_formats(folder, call, model, name):
    refused = call("predict", model, "none.zarr/rows", "-o", name)
    assert refused.exit_code == 2, refused.output
    assert "labels.zarr" in refused.stderr
    assert "labels.parquet" in refused.stderr
    assert not (folder / name).exists()


def test_an_interruption_at_the_very_end_is_no_traceback():
    """Threads are joined then; a signal that comes later still ends the process as any."""
    code = (
        "import os, signal, sys, threading, time\n"
        "from daskgmm.cli import run\n"
        "sys.argv = ['daskgmm', '--version']\n"
        "def interrupt():\n"
        "    while threading.main_thread().is_alive(): time.sleep(0.01)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(20)\n"
        "threading.Thread(target=interrupt).start()\n"
        "run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=LONGEST, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "")
    assert done.stdout == f"daskgmm, version {__version__}\n"
