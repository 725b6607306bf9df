"""Commands that succeed: what they write and print."""

import subprocess
import sys

import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture, __version__, plan
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.models.model_file import load_model
from daskgmm.names import COVARIANCES
from tests.cli.data import COMMAND, ENVIRONMENT


@pytest.mark.parametrize(
    ("data", "covariance"),
    [
        *(("rows.zarr", each) for each in ("full", "tied", "diag", "spherical")),
        ("rows.npy", "full"),
    ],
)
def test_fit_info_predict(folder, rows, call, data, covariance):
    fitted = call("fit", data, "-k", 3, "--covariance", covariance, "--out", "m.json")
    assert fitted.exit_code == 0
    assert fitted.stdout.startswith("m.json: 3 components in 3 features")
    assert "converged after" in fitted.stdout

    described = call("info", "m.json")
    assert described.exit_code == 0
    assert covariance in described.stdout
    assert "component  weight" in described.stdout

    predicted = call("predict", "m.json", data, "--out", "labels.zarr")
    assert predicted.exit_code == 0
    assert predicted.stdout.startswith("labels.zarr: 3,000 rows (label)")
    expected = GaussianMixture(3, covariance_type=covariance, random_state=0).fit(rows)
    labels = zarr.open_array("labels.zarr/label", mode="r")
    assert (labels.dtype, labels.metadata.zarr_format) == (np.int8, 3)
    np.testing.assert_array_equal(labels[:], expected.predict(rows))
    assert {path.name for path in folder.iterdir()} == {
        "rows.zarr", "rows.npy", "m.json", "labels.zarr",
    }  # fmt: skip


def test_one_of_a_kind_has_no_plural(folder, call):
    np.save("one.npy", np.arange(50.0)[:, None])
    fit = ("fit", "one.npy", "-k", 1, "--max-iter", 1, "--tol", 0, "-o", "m.json")
    fitted = call(*fit)
    assert fitted.stdout.startswith("m.json: 1 component in 1 feature, ")
    assert " after 1 iteration, log likelihood" in fitted.stdout
    assert "not converged after 1 iteration: " in fitted.stderr
    np.save("row.npy", np.zeros((1, 1)))
    predicted = call("predict", "m.json", "row.npy", "-o", "l.zarr")
    assert predicted.stdout.startswith("l.zarr: 1 row (label)")
    swept = call("sweep", "one.npy", "-k", 1, "--max-iter", 1, "--tol", 0, "-o", "s.json")
    assert swept.stdout.splitlines()[-1].startswith("s.json: 1 component, ")
    assert swept.stdout.rstrip().endswith(" after 1 iteration")
    for path, words in (
        ("row.npy", "cannot be fitted: it has 1 row, and a fit needs 2 or more"),
        ("one.npy", "50 rows of 1 feature"),
    ):
        assert call("info", path).stdout.rstrip().endswith(words)
    assert "at most 1 iteration\n" in call("plan", "one.npy", "-k", 1, "--max-iter", 1).stdout


@pytest.mark.slow
def test_in_a_process_of_its_own(folder):
    """The module runs; results go to stdout and progress to stderr, of quick passes the ends."""
    command = [*COMMAND, "fit", "rows.zarr", "-k", "3", "-o", "m.json"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    mixture = load_model("m.json")
    assert done.stdout.count("\n") == 1
    lines = done.stderr.splitlines()
    assert lines[0].startswith("survey  3,000 rows")
    told = [line.split()[:2] for line in lines[1:]]
    assert told[:3] == [["start", "best"], ["EM", "begins"], ["iteration", "1"]]
    assert told[-1] == ["iteration", str(mixture.n_iter_)]


def test_settings_reach_the_fit(folder, rows, call):
    options = "--tol 1e-5 --max-iter 50 --reg-covar 1e-4 --n-init 2 --init k-means++ --seed 7"
    assert call("fit", "rows.zarr", "-k", 2, "-o", "m.json", *options.split()).exit_code == 0
    settings = {
        "tol": 1e-5,
        "max_iter": 50,
        "reg_covar": 1e-4,
        "n_init": 2,
        "init_params": "k-means++",
        "random_state": 7,
    }
    mixture, expected = load_model("m.json"), GaussianMixture(2, **settings).fit(rows)
    assert {name: mixture.get_params()[name] for name in settings} == settings
    np.testing.assert_allclose(mixture.means_, expected.means_, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zarr", "npy"])
def test_weights(folder, rows, call, kind):
    weights = np.random.default_rng(1).uniform(0, 3, len(rows))
    np.save("w.npy", weights)
    zarr.create_array("w.zarr", data=weights, chunks=(1000,))
    assert (
        call("fit", "rows.zarr", "-k", 3, "-o", "m.json", "--weights", f"w.{kind}").exit_code == 0
    )
    expected = GaussianMixture(3, random_state=0).fit(rows, sample_weight=weights)
    np.testing.assert_allclose(load_model("m.json").weights_, expected.weights_, rtol=1e-10)


@pytest.mark.slow
def test_what_weights_are(folder, rows, call):
    counts = np.random.default_rng(1).integers(1, 6, len(rows))
    np.save("n.npy", counts)
    fit = ("fit", "rows.zarr", "-k", 3, "--weights", "n.npy", "--overwrite", "-o", "m.json")
    n = counts.sum() ** 2 / (counts**2).sum()
    for said in ((), ("--weights-are", "relative")):
        done = call(*fit, *said)
        assert f", n = {n:,.1f} effective rows\n" in done.stdout
        assert ("Warning: sample_weight holds whole numbers" in done.stderr) == (not said)
        assert f"n = {n:,.1f} effective rows" in call("info", "m.json").output
    done = call(*fit, "--weights-are", "counts")
    expected = f"n = {counts.sum():,}, the sum of the weights"
    assert expected in done.stdout
    assert "Warning" not in done.stderr
    told = call("info", "m.json").output
    assert expected in told
    assert f"weight {counts.sum():,}" in told
    assert load_model("m.json").criteria_["n"] == counts.sum()


def test_without_weights_rows_count(folder, call, model):
    assert "free parameters, n = 3,000 rows (in the last pass" in call("info", model).output
    assert ", n = " not in call("fit", "rows.zarr", "-k", 2, "-o", "m.json").stdout


@pytest.mark.parametrize("command", [("fit", "-k", 2), ("sweep", "-k", "1-2")])
def test_a_meaning_without_weights_is_wrong_usage(folder, call, command):
    name, *options = command
    result = call(name, "rows.zarr", *options, "-o", "m.json", "--weights-are", "counts")
    assert result.exit_code == 2
    assert "--weights-are says what weights mean, and there are none" in result.stderr
    assert not (folder / "m.json").exists()


def test_threads_change_no_bit(folder, call):
    for threads in (1, 3):
        name = f"{threads}.json"
        assert call("fit", "rows.zarr", "-k", 3, "-o", name, "--threads", threads).exit_code == 0
    assert load_model("1.json").means_.tobytes() == load_model("3.json").means_.tobytes()


def test_quiet_says_nothing(folder, call, model):
    for command in (
        ("fit", "rows.zarr", "-k", 3, "-o", "m.json"),
        ("predict", model, "rows.zarr", "-o", "l.zarr"),
    ):
        result = call(*command, "--quiet")
        assert (result.exit_code, result.output) == (0, "")


def test_overwrite_replaces(folder, call, model):
    before = (folder / model).read_bytes()
    assert call("fit", "rows.zarr", "-k", 2, "-o", model, "--overwrite").exit_code == 0
    assert load_model(model).n_components == 2
    assert (folder / model).read_bytes() != before
    for _ in range(2):
        result = call("predict", model, "rows.npy", "-o", "l.zarr", "--overwrite")
        assert result.exit_code == 0
    assert zarr.open_array("l.zarr/label", mode="r")[:].max() == 1
    assert not [path for path in folder.iterdir() if "partial" in path.name]


@pytest.mark.slow
def test_not_converged(folder, call):
    result = call("fit", "rows.zarr", "-k", 3, "-o", "m.json", "--max-iter", 2, "--tol", 0)
    assert result.exit_code == 3
    warning = result.stderr.splitlines()[-1]
    assert warning.startswith("Warning: not converged after 2 iterations")
    assert "--max-iter 6" in warning
    assert not load_model("m.json").converged_


def test_warnings_are_lines(folder, call):
    np.save("flat.npy", np.repeat([[0.0, 1.0], [5.0, 1.0]], 50, axis=0))
    result = call("fit", "flat.npy", "-k", 3, "-o", "m.json", "--quiet")
    assert result.exit_code == 0
    assert result.stderr
    for line in result.stderr.splitlines():
        assert line.startswith("Warning: ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["format 3", "3,000 x 3", "float64", "701 x 3, 5 of them", "can be fitted"]),
        ({"zarr_format": 2}, ["format 2", "zstd"]),
        ({"compressors": None}, ["compressed  no"]),
        ({"shards": (2103, 3)}, ["shards      2,103 x 3", "zstd"]),
    ],
)
def test_info_of_zarr(folder, rows, call, options, words):
    stored = zarr.create_array(
        "a.zarr", shape=rows.shape, chunks=(701, 3), dtype=rows.dtype, **options
    )
    stored[...] = rows
    result = call("info", "a.zarr")
    assert result.exit_code == 0
    for word in words:
        assert word in result.stdout


def test_info_of_what_cannot_be_fitted(folder, call):
    zarr.create_array("cube.zarr", shape=(4, 5, 6), dtype="f4", chunks=(4, 5, 6))
    np.save("labels.npy", np.zeros(5, np.uint8))
    zarr.create_array("complex.zarr", shape=(4, 5, 6), dtype="c8", chunks=(4, 5, 6))
    assert "cannot be fitted" in call("info", "complex.zarr").stdout
    assert "--features -1, if its points" in call("info", "cube.zarr").stdout
    assert "as --weights" in call("info", "labels.npy").stdout


COMMANDS = (
    "",
    "fit",
    "sweep",
    "plan",
    "predict",
    "score",
    "adapt",
    "merge",
    "sample",
    "transform",
    "impute",
    "compare",
    "info",
    "plot",
    "demo",
)


def test_help_and_version(call):
    for command in COMMANDS:
        assert "Usage: daskgmm" in call(*command.split(), "-h").stdout
    assert call("--version").stdout == f"daskgmm, version {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_no_arithmetic(command):
    """Help comes at once: importing NumPy alone takes longer than all that is shown."""
    code = (
        "import sys\nfrom daskgmm.cli import main\n"
        f"main({[*command.split(), '-h']}, standalone_mode=False)\n"
        "print({'numpy', 'dask', 'zarr', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("\nset()\n")
    if command in ("fit", "sweep", "plan"):
        assert "full, tied, diag, spherical, EII," in " ".join(done.stdout.split())


def test_the_names_of_structures_are_those_of_the_table():
    assert tuple(STRUCTURES) == COVARIANCES


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Port 8787 is already in use")
def test_scheduler(folder, rows, call, model):
    """Passes run where --scheduler says, and no client stays behind."""
    with LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0"
    ) as cluster:
        address = cluster.scheduler_address
        fitted = call("fit", "rows.zarr", "-k", 3, "-o", "m.json", "--scheduler", address)
        predicted = call("predict", "m.json", "rows.zarr", "-o", "l.zarr", "--scheduler", address)
        assert (fitted.exit_code, predicted.exit_code) == (0, 0)
        assert "daskgmm_predict" in cluster.scheduler.task_prefixes
        with pytest.raises(ValueError, match="No client"):
            Client.current()
    assert load_model("m.json").means_.tobytes() == load_model(model).means_.tobytes()


def test_a_plan_is_that_of_the_settings(folder, rows, call):
    options = "--acceleration none --sample-rows 500 --missing drop --standardise --pca 2"
    options += " --checkpoint c.json --precision float64"
    planned = call("plan", "rows.zarr", "-k", 3, *options.split())
    assert planned.exit_code == 0
    settings = {"missing": "drop", "standardise": True, "pca": 2}
    settings |= {"checkpoint": "c.json"}
    expected = plan("rows.zarr", 3, acceleration=None, sample_rows=500, **settings)
    assert planned.stdout == f"{expected}\n"
    assert "2 principal axes of the columns, each divided" in planned.stdout
    assert "written after each iteration" in planned.stdout


@pytest.mark.parametrize("command", [("fit", "-k", 3), ("sweep", "-k", "2-3")])
def test_the_sample_of_the_start_is_as_large_as_was_said(folder, rows, call, command):
    name, *options = command
    assert call(name, "rows.zarr", *options, "--sample-rows", 250, "-o", "m.json").exit_code == 0
    assert load_model("m.json").sample_rows == 250
    if name == "fit":
        expected = GaussianMixture(3, sample_rows=250, random_state=0).fit(rows)
        np.testing.assert_array_equal(load_model("m.json").means_, expected.means_)
