"""Commands that fail: the exit code, a message that says what to do, and nothing left behind."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from daskgmm.models import gaussian_mixture
from daskgmm.models.model_file import load_model
from tests.cli.data import COMMAND, ENVIRONMENT, clusters, filled_up_at, write_zarr
from tests.waiting import LONGEST

FIT = ("fit", "rows.zarr", "-k", 3, "-o", "m.json")


def entries(folder):
    return {path.name for path in folder.iterdir()}


def check_failure(folder, call, command, words):
    """Exit code 1, one line `Error: ...` with these words, no file made."""
    before = entries(folder)
    result = call(*command)
    assert result.exit_code == 1
    assert result.stdout == ""
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    for word in words:
        assert word in result.stderr
    assert entries(folder) == before


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("fit", "no.zarr", "-k", 3, "-o", "m.json"), ["no.zarr does not exist"]),
        (("fit", "no.npy", "-k", 3, "-o", "m.json"), ["no.npy does not exist"]),
        (("fit", ".", "-k", 3, "-o", "m.json"), ["not a Zarr array"]),
        (("fit", "rows.zarr", "-k", 4000, "-o", "m.json"), ["n_components = 4000"]),
        (("fit", "rows.zarr", "-k", 3, "-o", "no/m.json"), ["no folder no"]),
        ((*FIT, "--weights", "rows.npy"), ["1D"]),
        (("predict", "no.json", "rows.zarr", "-o", "l.zarr"), ["no model file no.json"]),
        (("predict", "rows.npy", "rows.zarr", "-o", "l.zarr"), ["not a model file"]),
        (("predict", "rows.zarr", "rows.zarr", "-o", "l.zarr"), ["is a folder"]),
        (("fit", "no.nc", "-k", 3, "-o", "m.json"), ["no.nc does not exist. Check the path"]),
        ((*FIT, "--pca", 4), ["--pca 4 asks"]),
        (("info", "no.json"), ["no.json does not exist"]),
        (("info", "no.zarr"), ["no.zarr does not exist"]),
    ],
)
def test_advice(folder, call, command, words):
    check_failure(folder, call, command, words)


HEAVY = ("dask", "sklearn", "zarr", "scipy", "pandas")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("fit", "no.csv", "-k", "3", "-o", "m.json"), "no.csv does not exist. Check the path"),
        (("sweep", "no/rows", "-k", "3", "-o", "m.json"), "no/rows does not exist"),
        (("predict", "no.json", "no.csv", "-o", "l.zarr"), "There is no model file no.json"),
        (("convert", "rows.npy", "no.csv", "-o", "t.parquet"), "no.csv does not exist"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_before_libraries_are_imported(folder, command, words):
    """They take seconds to import, and a wrong path is a frequent mistake."""
    code = (
        "import sys; from daskgmm.cli import main\n"
        f"try: main({list(command)!r})\n"
        f"finally: print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stdout.strip() == "[]"


def test_what_may_be_there_is_left_to_those_who_open_it(folder, call):
    """A place in a group or a file, a pattern, a URL."""
    zarr.create_group("g.zarr")
    for path, words in (
        ("g.zarr/no", "g.zarr/no"),
        ("*.parquet", "No file matches *.parquet."),
        ("file:///no/rows.zarr", "does not exist, or holds no Zarr array"),
    ):
        done = call("fit", path, "-k", 3, "-o", "m.json")
        assert done.exit_code == 1
        assert words in done.stderr


def test_what_is_no_model_stays(folder, call):
    (folder / "notes.txt").write_text("notes")
    fit = ("fit", "rows.zarr", "-k", 3, "-o", "notes.txt")
    check_failure(folder, call, fit, ["notes.txt exists", "--overwrite"])
    check_failure(folder, call, (*fit, "--overwrite"), ["not a model file"])


def test_a_disk_that_is_full_when_the_model_is_written(folder, call, model, monkeypatch):
    """It is full where the model should go alone; in this folder there is room for another."""
    before = (folder / model).read_bytes()

    def called(*command):
        result = call(*command)
        [kept] = folder.glob("????????-model.json")
        assert f"is in {kept}" in result.stderr
        assert load_model(kept).n_features_in_ == 3
        kept.unlink()
        return result

    for out, more in (("new.json", ()), (model, ("--overwrite",))):
        monkeypatch.setattr("os.fsync", filled_up_at(out))
        words = [out, "The disk is full", "What was there before is whole"]
        check_failure(folder, called, ("fit", "rows.zarr", "-k", 2, "-o", out, *more), words)
    (folder / "other.json").write_bytes(before)
    monkeypatch.setattr("os.fsync", filled_up_at("other.json"))
    words[0] = "other.json"
    adapt = ("adapt", model, "rows.zarr", "-o", "other.json", "--overwrite")
    check_failure(folder, called, adapt, words)
    assert (folder / "other.json").read_bytes() == before
    assert (folder / model).read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_log_on_a_full_disk_is_one_warning(folder, call):
    done = call(*FIT, "--log-json", "/dev/full")
    assert done.exit_code == 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Warning: ")]
    assert "Events cannot be written to /dev/full: [Errno 28]" in line
    assert "The disk is full. The fit continues" in line
    assert load_model("m.json").converged_


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_standard_output_on_a_full_disk(folder):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "info", "rows.zarr"],
            env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The disk is full: [Errno 28]")
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def limited(monkeypatch):
    """Give this process a limit of the size of its files, of 4 kB, as ``ulimit -f`` does."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python 3.11 keeps the part of a compiled module that it could write.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


ABOVE_THE_LIMIT = {
    "fit": ("rows.zarr", "-k", 6, "-o", "new.json"),
    "sweep": ("rows.zarr", "-k", "5-6", "-o", "new.json"),
    "predict": ("model.json", "rows.zarr", "--outputs", "posterior", "-o", "new.zarr"),
    "impute": ("model.json", "rows.zarr", "-o", "new.zarr"),
    "sample": ("model.json", "--rows", 5000, "-o", "new.zarr"),
    "convert": ("rows.csv", "-o", "new.parquet"),
    "plot": ("model.json", "-o", "new.png"),
    "demo": ("--out", "new"),
}


@pytest.mark.parametrize("command", ABOVE_THE_LIMIT)
def test_a_limit_of_the_size_of_files_is_advice_and_nothing_half_written(
    folder, rows, model, call, command, request
):
    np.savetxt("rows.csv", rows, delimiter=",", header="a,b,c", comments="")
    before = set(folder.iterdir())
    request.getfixturevalue("limited")
    done = call(command, *ABOVE_THE_LIMIT[command])
    assert done.exit_code == 1, done.output
    error = done.stderr.splitlines()[-1]
    assert error.startswith("Error: ")
    assert "limit of the size of a file is reached" in error
    assert "aise that limit (ulimit -f)" in error
    left = {path.name for path in folder.iterdir()} - {path.name for path in before}
    if "holds what is written so far" in error:  # the same command resumes from there
        assert left == {"new.zarr.partial", "new.zarr.partial.progress.json"}
    elif command == "demo":  # the folder, with the mark that it is the demo's
        assert [path.name for path in (folder / "new").iterdir()] == ["made-by-daskgmm-demo.txt"]
    else:
        assert not left


def test_a_log_above_the_limit_keeps_whole_lines_and_the_model(folder, call, limited):
    log = folder / "new.log"
    log.write_text('{"time": "before"}\n' * 210, encoding="utf8")  # 106 bytes are left
    done = call(*FIT[:3], 1, *FIT[4:], "--log-json", log)
    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Warning: ")]
    assert "The limit of the size of a file is reached. The fit continues" in line
    assert log.read_text(encoding="utf8") == '{"time": "before"}\n' * 210
    assert load_model("m.json").n_components == 1


def test_group(folder, call):
    write_zarr(zarr.create_group("g.zarr").store_path / "inner", clusters(10), (10, 3))
    command = ("fit", "g.zarr", "-k", 2, "-o", "m.json")
    check_failure(folder, call, command, ["is a Zarr group", "inner", "--variables"])


def test_nan(folder, rows, call, model):
    rows[2222, 1] = np.nan
    write_zarr("nan.zarr", rows, (701, 3))
    check_failure(folder, call, ("fit", "nan.zarr", "-k", 3, "-o", "m.json"), ["NaN", "2222"])
    check_failure(folder, call, ("predict", model, "nan.zarr", "-o", "l.zarr"), ["NaN"])


@pytest.mark.usefixtures("impatient")
def test_torn_chunk(folder, call, model):
    chunk = folder / "rows.zarr" / "c" / "2" / "0"
    chunk.write_bytes(chunk.read_bytes()[:100])
    check_failure(folder, call, FIT, ["rows.zarr", "damaged"])
    # What was written before stays for the next run.
    failed = call("predict", model, "rows.zarr", "-o", "l.zarr")
    assert failed.exit_code == 1
    assert "damaged" in failed.stderr
    assert "l.zarr.partial holds what is written so far. The same command resumes" in failed.stderr
    assert not (folder / "l.zarr").exists()


def test_other_features(folder, call, model):
    np.save("wide.npy", clusters(50, d=4))
    words = ["X has 4 features", "expecting 3 features"]
    check_failure(folder, call, ("predict", model, "wide.npy", "-o", "l.zarr"), words)


def test_torn_model(folder, call, model):
    whole = (folder / model).read_bytes()
    (folder / model).write_bytes(whole[: len(whole) // 2])
    for command in (("predict", model, "rows.zarr", "-o", "l.zarr"), ("info", model)):
        check_failure(folder, call, command, ["is torn", "Fit the model again"])


def test_existing_output_is_refused_before_the_first_pass(folder, call, model, monkeypatch):
    monkeypatch.setattr(gaussian_mixture.GaussianMixture, "fit", None)
    before = (folder / model).read_bytes()
    check_failure(folder, call, ("fit", "rows.zarr", "-k", 3, "-o", model), ["exists"])
    assert (folder / model).read_bytes() == before


def test_failed_overwrite_leaves_the_old(folder, rows, call, model):
    assert call("predict", model, "rows.npy", "-o", "l.zarr").exit_code == 0
    old = zarr.open_array("l.zarr/label", mode="r")[:]
    rows[-1] = np.inf
    np.save("bad.npy", rows)
    command = ("predict", model, "bad.npy", "-o", "l.zarr", "--overwrite")
    check_failure(folder, call, command, ["infinity"])
    np.testing.assert_array_equal(zarr.open_array("l.zarr/label", mode="r")[:], old)


@pytest.mark.parametrize(
    "command",
    [
        ("nonsense",),
        ("fit", "rows.zarr", "-k", 3),
        ("fit", "rows.zarr", "-o", "m.json"),
        (*FIT, "--covariance", "round"),
        ("fit", "rows.zarr", "-k", 0, "-o", "m.json"),
        (*FIT, "--tol", -1),
        (*FIT, "--threads", 0),
        ("demo", "--image", "cat.jpg"),
    ],
)
def test_wrong_usage(folder, call, command):
    before = entries(folder)
    result = call(*command)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert entries(folder) == before


@pytest.mark.parametrize(
    ("data", "out"),
    [
        ("rows.zarr", "rows.zarr"),
        ("rows.zarr", "./rows.zarr/"),
        ("g.zarr/inner", "g.zarr"),
        ("x.zarr.partial", "x.zarr"),
    ],
)
def test_data_are_never_overwritten_by_their_labels(folder, rows, call, model, data, out):
    zarr.create_group("g.zarr")
    for name in {data} - {"rows.zarr"}:
        write_zarr(name, rows, (701, 3))
    result = call("predict", model, data, "-o", out, "--overwrite")
    assert result.exit_code == 1
    reasons = ("removed", "not a group of predictions", "was not left there by a run")
    assert any(reason in result.stderr for reason in reasons)
    np.testing.assert_array_equal(zarr.open_array(data, mode="r")[:], rows)


def test_bug(folder, call, monkeypatch):
    """What nobody expected asks for a report, and shows its traceback when asked to."""

    def fail(*arguments, **settings):
        raise RuntimeError("never thought of")

    monkeypatch.setattr(gaussian_mixture.GaussianMixture, "fit", fail)
    check_failure(folder, call, FIT, ["RuntimeError: never thought of", "Please report it"])


@pytest.mark.slow
def test_traceback_on_request(folder):
    done = subprocess.run(
        [*COMMAND, "info", "no.json"],
        env={**ENVIRONMENT, "DASKGMM_TRACEBACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: ")


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(folder, how):
    """Ctrl-C in a long fit, or the end of its job: its own exit code, one line, no file."""
    write_zarr("long.zarr", clusters(200_000), (20_000, 3))
    before = entries(folder)
    options = ["-k", "20", "-o", "m.json", "--tol", "0", "--max-iter", "100000"]
    command = [*COMMAND, "fit", "long.zarr", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True) as process:
        while not process.stderr.readline().startswith("iteration"):
            assert process.poll() is None
        process.send_signal(how)
        stdout, stderr = process.communicate(timeout=LONGEST)
    assert process.returncode == 130
    assert stdout == ""
    assert stderr.splitlines()[-1].startswith("Interrupted; no model was written. With --check")
    assert "Traceback" not in stderr
    assert entries(folder) == before


SLOW_IMPORT = """
import sys, time


class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "sklearn":
            print("importing", flush=True)
            for _ in range(600):  # a signal just before a sleep is handled after it
                time.sleep(0.1)


sys.meta_path.insert(0, Slow())
from daskgmm.cli import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "command",
    [
        FIT,
        ("sweep", "rows.zarr", "-k", "2-3", "-o", "m.json"),
        ("plan", "rows.zarr", "-k", 3),
        ("predict", "model.json", "rows.zarr", "-o", "l.zarr"),
        ("adapt", "model.json", "rows.zarr", "-o", "m.json"),
        ("merge", "model.json", "rows.zarr", "-o", "m.json"),
        ("sample", "model.json", "--rows", 10, "-o", "s.zarr"),
        ("info", "rows.zarr"),
        ("demo",),
    ],
    ids=lambda command: command[0],
)
def test_interrupted_while_modules_are_imported(folder, command, how):
    """The first seconds of a command: a line and the code of interruptions, at once."""
    (folder / "model.json").write_text("{}")  # one that is absent is refused before
    before, pipe = entries(folder), subprocess.PIPE
    program = [sys.executable, "-c", SLOW_IMPORT, *map(str, command)]
    with subprocess.Popen(program, env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(how)
        _, said = process.communicate(timeout=LONGEST)
    assert (process.returncode, said) == (130, "Interrupted; nothing was written.\n")
    assert entries(folder) == before
