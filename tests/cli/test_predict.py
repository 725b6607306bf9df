"""`daskgmm predict`: what is asked for is written, from one read, and goes on when stopped."""

import os
import signal
import subprocess
import time

import numpy as np
import pytest
import xarray as xr
import zarr

from daskgmm.models.model_file import load_model
from daskgmm.models.writers import writing
from tests.cli.data import COMMAND, ENVIRONMENT, clusters, write_zarr

PREDICT = ("predict", "model.json", "rows.zarr", "-o", "p.zarr")


def test_outputs_types_chunks_and_shards(folder, rows, call, model):
    outputs = "label,posterior,top,ambiguity,log_density,largest_posterior"
    cut = ("--chunks", 200, "--shards", "row=1000")
    done = call(*PREDICT, "--outputs", outputs, "--dtype", "float64", "--top", 3, *cut)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("p.zarr: 3,000 rows (label, posterior, top, ")
    mixture, found = load_model(model), xr.open_zarr("p.zarr", consolidated=False)
    np.testing.assert_array_equal(found.label, mixture.predict(rows))
    np.testing.assert_allclose(found.posterior, mixture.predict_proba(rows), atol=1e-12)
    np.testing.assert_allclose(found.log_density, mixture.score_samples(rows))
    assert found.top_component.shape == (3000, 3)
    stored = zarr.open_array("p.zarr/posterior", mode="r")
    assert (stored.chunks, stored.shards, stored.dtype) == ((200, 3), (1000, 3), np.float64)


def test_rows_of_each_component(folder, rows, call, model):
    done = call(*PREDICT)
    counts = np.bincount(load_model(model).predict(rows))
    for component, count in enumerate(counts):
        assert f"{component}  {count:>15,}  {count / 3000:>6.1%}" in done.stdout
    assert "none" not in done.stdout
    plain = call(*PREDICT, "--overwrite", "--outputs", "ambiguity", "--dtype", "uint8")
    assert plain.stdout == "p.zarr: 3,000 rows (ambiguity)\n"
    assert zarr.open_array("p.zarr/ambiguity", mode="r").dtype == np.uint8


def test_rows_without_a_label(folder, rows, call):
    rows[:300, 1] = np.nan
    write_zarr("holes.zarr", rows, (701, 3))
    fit = ("fit", "holes.zarr", "-k", 3, "-o", "m.json")
    assert call(*fit).exit_code == 1
    assert call(*fit, "--missing", "drop").exit_code == 0
    done = call("predict", "m.json", "holes.zarr", "-o", "p.zarr")
    assert f"none  {300:>15,}   10.0%" in done.stdout
    assert (zarr.open_array("p.zarr/label", mode="r")[:300] == -1).all()


@pytest.mark.slow
def test_rows_with_gaps_are_looked_at_and_filled(folder, rows, call):
    whole = rows.copy()
    rows[:300, 1] = np.nan
    write_zarr("holes.zarr", rows, (701, 3))
    fit = ("fit", "holes.zarr", "-k", 3, "-o", "m.json", "--missing", "marginalise")
    assert call(*fit).exit_code == 0
    outputs = ("--outputs", "label,imputed")
    done = call("predict", "m.json", "holes.zarr", "-o", "p.zarr", *outputs)
    assert done.exit_code == 0, done.output
    assert "none" not in done.stdout
    filled = zarr.open_array("p.zarr/imputed", mode="r")[:]
    np.testing.assert_array_equal(filled, load_model("m.json").impute(rows))
    np.testing.assert_array_equal(filled[300:], whole[300:])
    done = call("impute", "m.json", "holes.zarr", "-o", "d.zarr", "--seed", 3)
    assert done.exit_code == 0, done.output
    drawn = zarr.open_array("d.zarr/imputed", mode="r")[:]
    np.testing.assert_allclose(drawn, load_model("m.json").impute(rows, random_state=3), 1e-12)
    other = (*fit[:4], "-o", "other.json", *fit[6:])
    assert call(*other, "--pca", 2).exit_code == 2
    assert (
        call(
            "sweep", "holes.zarr", "-k", "2-3", "-o", "s.json", "--missing", "marginalise"
        ).exit_code
        == 0
    )


@pytest.mark.parametrize("pca", ["2", "0.9"])
def test_coordinates(folder, call, pca):
    fit = ("fit", "rows.zarr", "-k", 3, "-o", "m.json", "--standardise", "--pca", pca)
    assert call(*fit).exit_code == 0
    mixture = load_model("m.json")
    assert mixture.get_params()["standardise"] is True
    assert mixture.get_params()["pca"] == float(pca)
    assert call("predict", "m.json", "rows.zarr", "-o", "p.zarr").exit_code == 0


def test_to_a_url(folder, rows, call, model):
    url = "memory://cli-predict/p.zarr"
    done = call("predict", model, "rows.zarr", "-o", url, "--quiet")
    assert (done.exit_code, done.output) == (0, "")
    labels = zarr.open_array(f"{url}/label", mode="r")[:]
    np.testing.assert_array_equal(labels, load_model(model).predict(rows))
    refused = call("predict", model, "rows.zarr", "-o", url)
    assert refused.exit_code == 1
    assert "exists, and folders at a URL are not overwritten in one step" in refused.stderr
    assert "(--overwrite)" not in refused.stderr  # it would not help
    call("predict", model, "rows.zarr", "-o", "p.zarr")
    refused = call("predict", model, "rows.zarr", "-o", "p.zarr")
    assert "p.zarr exists. Choose another place (--out), or replace it with" in refused.stderr
    assert "components  3" in call("info", url).stdout


def test_options_are_of_urls_only(folder, call, model):
    assert call(*PREDICT, "--storage-option", "key=abc").exit_code == 0


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--outputs", "labels"), 2, "outputs names 'labels' (--outputs)"),
        (("--outputs", "labels"), 2, "Did you mean 'label'?"),
        (("--outputs", ""), 2, "outputs names nothing (--outputs)"),
        (("--outputs", "label,,top"), 2, "not a list of names"),
        (("--dtype", "int8"), 2, "--dtype"),
        (("--outputs", "top", "--top", 4), 1, "top is 4 (--top), and the mixture has 3 components"),
        (("--chunks", "0"), 2, "0 is not a cut"),
        (("--chunks", "y=3"), 1, "give lengths of row"),
        (("--chunks", "row=3,row=4"), 2, "is not a cut"),
        (("--chunks", 100, "--shards", 250), 1, "whole chunks"),
        (("-o", "p.parquet"), 2, "Parquet is written of the rows of tables"),
        (("--key", "id"), 2, "--key is for Parquet"),
        (("-o", "p.parquet", "--chunks", "9"), 2, "--chunks and --shards are for Zarr"),
        (("-o", "rows.zarr"), 1, "rows.zarr exists"),
        (("-o", "rows.npy", "--overwrite"), 2, "ends in .npy"),
        (("-o", "rows.zarr", "--overwrite"), 1, "not a group of predictions"),
        (("-o", "no/p.zarr"), 1, "Make it first"),
        (("--columns", "a"), 2, "--columns is for Parquet"),
    ],
)
def test_refused(folder, call, model, options, code, words):
    before = {path.name for path in folder.iterdir()}
    refused = call(*PREDICT, *options)
    assert refused.exit_code == code, refused.output
    assert words in " ".join(refused.stderr.split())
    assert {path.name for path in folder.iterdir()} == before


WAITING = """
import signal
import time
from pathlib import Path
from daskgmm.models.writers.target import Target
from daskgmm.passes import batches

batches.MIN_BATCH_SECONDS = 1e-6
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have others ignore it
note = Target.note

def note_and_wait(self, identity, tally):
    note(self, identity, tally)
    if tally.done:
        Path("noted").touch()
        while True:
            time.sleep(0.01)

Target.note = note_and_wait
"""
"""A module of a process that waits for Ctrl-C once a batch is written."""


@pytest.mark.slow
def test_interrupted_and_gone_on_with(folder, call, monkeypatch):
    """Ctrl-C: what to do is said; the same command writes the rest, and nothing twice."""
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6)
    rows = clusters(20_000, 8)
    write_zarr("long.zarr", rows, (1_000, 8))
    assert call("fit", "long.zarr", "-k", 2, "-o", "m.json", "--max-iter", 1).exit_code == 3
    command = ["predict", "m.json", "long.zarr", "-o", "p.zarr", "--threads", "1"]
    command += ["--chunks", "1000"]
    (folder / "waiting.py").write_text(WAITING)
    first = [*COMMAND, *command, "--import", "waiting"]
    pipe, environment = subprocess.PIPE, {**ENVIRONMENT, "PYTHONPATH": python_path(folder)}
    with subprocess.Popen(first, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        while not (folder / "noted").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate()
    assert process.returncode == 130
    assert stdout == ""
    assert stderr.splitlines()[-1].endswith(
        "p.zarr.partial holds what is written so far. The same command resumes from there."
    )
    assert not (folder / "p.zarr").exists()
    [chunk] = (folder / "p.zarr.partial").glob("*/label/c/0")
    written = chunk.stat().st_mtime_ns
    done = call(*command)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("p.zarr: 20,000 rows")
    assert (folder / "p.zarr" / "label" / "c" / "0").stat().st_mtime_ns == written
    assert not list(folder.glob("*.partial*"))
    expected = load_model("m.json").predict(zarr.open_array("long.zarr", mode="r"))
    np.testing.assert_array_equal(zarr.open_array("p.zarr/label", mode="r")[:], expected)


def python_path(folder):
    """Return where a process looks for modules, a folder first."""
    return os.pathsep.join([str(folder), *filter(None, [ENVIRONMENT.get("PYTHONPATH")])])


def test_rows_that_miss_a_value(folder, rows, call, model):
    holed = rows.copy()
    holed[5, 0] = np.nan
    np.save("holed.npy", holed)
    refused = call("predict", model, "holed.npy", "-o", "h.zarr")
    assert refused.exit_code == 1
    assert "--missing drop" in refused.stderr
    assert call("predict", model, "holed.npy", "-o", "h.zarr", "--missing", "drop").exit_code == 0
    labels = zarr.open_array("h.zarr/label", mode="r")[:]
    assert np.flatnonzero(labels == -1).tolist() == [5]


def test_parquet(folder, rows, call, model):
    import pandas as pd

    names = [f"row {i}" for i in range(len(rows))]
    table = pd.DataFrame(rows, columns=["a", "b", "c"]).assign(name=names)
    table.to_parquet("table.parquet", row_group_size=700)
    assert (
        call("fit", "table.parquet", "--columns", "a,b,c", "-k", 2, "-o", "t.json").exit_code == 0
    )
    done = call(
        "predict",
        "t.json",
        "table.parquet",
        "-o",
        "t.parquet",
        "--key",
        "name",
        "--outputs",
        "label,posterior",
    )
    assert done.exit_code == 0, done.output
    found = pd.read_parquet("t.parquet")
    assert list(found.columns) == ["name", "label", "posterior_0", "posterior_1"]
    assert list(found["name"]) == names
    np.testing.assert_array_equal(
        found["label"], load_model("t.json").predict(table[["a", "b", "c"]])
    )


@pytest.mark.slow
def test_killed(folder, call, model):
    """A killed writer leaves nothing at OUT."""
    program = (
        "import os\nfrom daskgmm.models.writers import predict_to_zarr as module\n"
        "module.ZarrTarget.finish = lambda *a: os._exit(9)\n"
        "from daskgmm.cli import main\nmain()"
    )
    killed = subprocess.run(
        [*COMMAND[:1], "-c", program, *PREDICT], env=ENVIRONMENT, capture_output=True, check=False
    )
    assert killed.returncode == 9
    assert not (folder / "p.zarr").exists()
    assert call(*PREDICT).exit_code == 0
    assert not list(folder.glob("*.partial*"))


def test_full_disk(folder, rows, call, model, monkeypatch):
    whole = writing.Putting._put

    def full(self, target, region, values):
        if region[0].start >= 1402:
            raise OSError(28, os.strerror(28), str(folder / "p.zarr"))
        whole(self, target, region, values)

    with monkeypatch.context() as patch:
        patch.setattr(writing.Putting, "_put", full)
        failed = call(*PREDICT, "--chunks", 701, "--retries", 0)
    assert failed.exit_code == 1
    (line,) = [line for line in failed.stderr.splitlines() if line.startswith("Error")]
    assert "p.zarr cannot be written, as the disk is full: OSError: [Errno 28] No space" in line
    assert "p.zarr.partial holds what is written so far." in line
    assert "command resumes from there" in line
    assert not (folder / "p.zarr").exists()
    done = call(*PREDICT, "--chunks", 701)
    assert done.exit_code == 0
    labels = zarr.open_array("p.zarr/label", mode="r")[:]
    np.testing.assert_array_equal(labels, load_model(model).predict(rows))
