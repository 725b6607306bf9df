"""The sweep command: a table, the best model, a CSV file, a picture."""

import csv
import json
import re
import sys

import numpy as np
import pytest
from rich.console import Console

from daskgmm import sweep
from daskgmm.cli.options.common import sizes_in
from daskgmm.em.events import BatchDone, PassEnded, SweepIterated
from daskgmm.models.model_file import load_model
from daskgmm.models.sweeps import sweep as module
from daskgmm.progress import Shown, make_bar, show
from daskgmm.report.sweep import staying_text, table_text
from tests.cli.data import clusters, filled_up_at

pytestmark = pytest.mark.slow

SWEEP = ("sweep", "rows.zarr", "-k", "1-4", "-o", "m.json", "--seed", 1)
BOTH = ("--covariance", "full", "--covariance", "diag")
PASS = re.compile(
    r"pass \d+  \d+ models?, \d+ left  (lowest BIC [\d,.]+ \(\d full\)  )?"
    r"\d\.\de[+-]\d\d rows/s  \d+\.\d\d s"
)


def entries(folder):
    return {path.name for path in folder.iterdir()}


def test_the_table_and_the_best_model(folder, rows, call):
    done = call(*SWEEP, *BOTH)
    assert done.exit_code == 0
    found = sweep(rows, range(1, 5), ("full", "diag"), random_state=1)
    header, *lines = done.stdout.split("\n\n")[0].splitlines()
    assert header.split()[:2] == ["k", "covariance"]
    kinds = [tuple(line.replace("*", " ").split()[:2]) for line in lines]
    assert kinds == [(str(k), kind) for kind in ("full", "diag") for k in range(1, 5)]
    best = found.best()
    marked = [kind for kind, line in zip(kinds, lines, strict=True) if line.startswith("*")]
    assert marked == [(str(best.n_components), best.covariance_type)]
    stayed = found.table["status"].count("sample")
    said = re.search(r"(\d+) of (\d+) stayed on the sample", done.stdout)
    assert said.groups() == (str(stayed), str(len(found.models)))
    assert done.stdout.splitlines()[-1].startswith(f"m.json: {best.n_components} components")
    model = load_model("m.json")
    assert model.covariance_type == best.covariance_type
    np.testing.assert_allclose(model.means_, best.means_, rtol=1e-9)
    assert entries(folder) == {"rows.zarr", "rows.npy", "m.json"}


def test_a_status_has_one_wording(folder, call):
    """Printed and in the file; what its other columns say is added to the printed one."""
    np.save("same.npy", np.repeat(np.eye(3), 40, axis=0))
    for data, k in (("rows.zarr", "1-6"), ("same.npy", "2-4")):
        command = ("sweep", data, "-k", k, *BOTH, "-o", "m.json", "--table", "t.csv", "--overwrite")
        done = call(*command)
        with (folder / "t.csv").open(newline="") as file:
            rows = [*csv.DictReader(file)]
        _, *lines = done.stdout.split("\n\n")[0].splitlines()
        for line in lines:
            size, kind, *_ = line.replace("*", " ").split()
            status, *more = re.split(r"  +", line)[-1].split(", ")
            assert len(line.removesuffix(", ".join(["", *more]))) <= 80
            of_kind = [
                row
                for row in rows
                if (row["n_components"], row["covariance_type"], row["status"])
                == (size, kind, status)
            ]
            assert of_kind
            assert set(more) <= {
                "not converged",
                *(f"{row['degenerate']} degenerate" for row in of_kind),
            }


@pytest.mark.parametrize(
    ("status", "converged", "degenerate", "told"),
    [
        ("fitted", True, 0, "fitted"),
        ("fitted", False, 0, "fitted, not converged"),
        ("fitted", False, 2, "fitted, not converged, 2 degenerate"),
        ("sample", False, 1, "sample, 1 degenerate"),
        ("failed", False, 0, "failed"),
    ],
)
def test_the_printed_status(status, converged, degenerate, told):
    values = ("log_likelihood", "aic", "bic", "icl", "heldout", "heldout_se")
    table = {"n_components": [3], "covariance_type": ["full"], "status": [status]}
    table |= {"converged": [converged], "degenerate": [degenerate]}
    table |= {name: [0.5] for name in values}
    assert re.split(r"  +", table_text(table, 0).splitlines()[1])[-1] == told


def table_of(*models):
    names = ("covariance_type", "n_components", "status")
    table = {name: [model[i] for model in models] for i, name in enumerate(names)}
    return table | {name: [0] * len(models) for name in ("degenerate", "bic", "passes")}


def test_what_stayed_on_the_sample_is_named_by_structure():
    full = [("full", k, "fitted" if k == 2 else "sample") for k in (1, 2, 3, 4, 7)]
    tied = [("tied", k, "sample") for k in (2, 3)] + [("tied", 4, "failed")]
    starts = [("full", 2, "sample")]
    assert staying_text(table_of(*full, *tied, *starts)) == (
        "Clearly beaten on the sample: full 1,3-4,7, tied 2-3. Of all starts, 7 of 8 stayed on the "
        "sample."
    )
    in_passes = table_of(*full, *starts) | {"passes": [3, 3, 3, 3, 0, 0]}
    assert staying_text(in_passes) == (
        "Clearly beaten on the sample: full 1,3-4,7. Of all starts, 2 of 6 stayed on the sample."
    )
    assert staying_text(table_of(full[1], *starts)) == (
        "Of all starts, 1 of 2 stayed on the sample."
    )


def test_how_many_rows_the_criteria_count(folder, rows, call):
    counts = np.random.default_rng(1).integers(1, 6, len(rows))
    np.save("n.npy", counts)
    effective = counts.sum() ** 2 / (counts**2).sum()
    weighted = (*SWEEP, "--weights", "n.npy", "--table", "t.csv", "--overwrite")
    for options, n, words in [
        (SWEEP, len(rows), f"{len(rows):,} rows."),
        ((*weighted, "--weights-are", "relative"), effective, f"{effective:,.1f} effective rows."),
        ((*weighted, "--weights-are", "counts"), counts.sum(), "the sum of the weights."),
    ]:
        done = call(*options)
        assert words in done.stdout
        assert "AIC, BIC and ICL count n = " in done.stdout
        assert "Warning" not in done.stderr
        assert load_model("m.json").criteria_["n"] == pytest.approx(n)
    with (folder / "t.csv").open(newline="") as file:
        assert {float(row["n"]) for row in csv.DictReader(file)} == {float(counts.sum())}
    said = call(*weighted).stderr
    assert "Warning: sample_weight holds whole numbers" in said
    assert "say --weights-are counts" in said


def test_csv_and_picture(folder, rows, call):
    done = call(*SWEEP, "--table", "t.csv", "--plot", "p.png", "--quiet")
    assert (done.exit_code, done.output) == (0, "")
    found = sweep(rows, range(1, 5), random_state=1).table
    with (folder / "t.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert list(read[0]) == list(found)
    assert [int(row["seed"]) for row in read] == found["seed"]
    np.testing.assert_allclose([float(row["bic"]) for row in read], found["bic"], rtol=1e-9)
    held = [float(row["heldout"] or "nan") for row in read]
    np.testing.assert_allclose(held, found["heldout"], rtol=1e-6)
    assert (folder / "p.png").read_bytes().startswith(b"\x89PNG")


def test_settings_reach_the_sweep(folder, call, monkeypatch):
    given = {}

    def note(rows, **settings):
        given.update(settings)
        raise ValueError("enough")

    monkeypatch.setattr(module, "sweep", note)
    options = (
        "--criterion icl --n-init 2 --tol 1e-4 --max-iter 7 --reg-covar 1e-5 --seed 3 "
        "--missing drop --standardise --pca 0.9 --prior conjugate --sample-rows 500 "
        "--precision float32 "
        "--checkpoint c --cache 1MB --weights rows.npy --weights-are counts --storage-option a.b=1"
    )
    call("sweep", "rows.zarr", "-k", "2,4", *BOTH, "-o", "m.json", *options.split())
    assert given.pop("listen") is not None
    assert given.pop("sample_weight") is not None
    assert given == {
        "n_components": [2, 4], "covariance_type": ("full", "diag"), "criterion": "icl",
        "n_init": 2, "tol": 1e-4, "max_iter": 7, "reg_covar": 1e-5, "random_state": 3,
        "checkpoint": "c", "cache": "1MB", "storage_options": {"a": {"b": 1}},
            "missing": "drop", "standardise": True, "pca": 0.9, "weights_are": "counts",
        "prior": "conjugate", "sample_rows": 500, "noise": False, "tails": None,
        "equal_weights": False, "n_factors": None, "precision": "float32",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("2-5", [2, 3, 4, 5]), ("2,4,8", [2, 4, 8]), ("5", [5]), ("8, 2-3,3", [2, 3, 8])],
)
def test_sizes(text, sizes):
    assert sizes_in(text) == sizes


@pytest.mark.parametrize("text", ["", "two", "5-2", "0-3", "1-", "-3", "2;4", "1.5", "1-99999999"])
def test_bad_sizes_are_wrong_usage(folder, call, text):
    refused = call("sweep", "rows.zarr", f"--components={text}", "-o", "m.json")
    assert refused.exit_code == 2
    assert "--components" in refused.stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--table", "old.csv"), 1, ["old.csv exists", "--table", "--overwrite"]),
        (("--plot", "old.png"), 1, ["old.png exists", "--plot", "--overwrite"]),
        (("--table", "no/t.csv"), 1, ["no folder no"]),
        (("--plot", "no/p.png"), 1, ["no folder no"]),
        (("--plot", "p.xyz"), 2, ["not the name of a picture"]),
        (("--plot", "p"), 2, ["not the name of a picture"]),
        (("--plot", "folder.png"), 1, ["is a folder"]),
        (("--out", "old.csv"), 2, ["old.csv ends in .csv", "model.json"]),
        (("--out", "old.txt"), 1, ["old.txt exists"]),
        (("--table", "rows.npy", "--overwrite"), 2, ["--table", ".csv"]),
        (("--table", "t.csv", "--out", "t.csv"), 2, ["the same file"]),
        (("--criterion", "luck"), 2, ["--criterion"]),
        (("--covariance", "round"), 2, ["--covariance"]),
        (("--n-init", 0), 2, ["--n-init"]),
    ],
)
def test_refused_before_the_first_pass(folder, call, monkeypatch, options, code, words):
    monkeypatch.setattr(module, "sweep", None)
    (folder / "old.csv").write_text("mine")
    (folder / "old.png").write_text("mine")
    (folder / "old.txt").write_text("mine")
    (folder / "folder.png").mkdir()
    before = entries(folder)
    refused = call(*SWEEP, *options)
    assert refused.exit_code == code
    for word in words:
        assert word in refused.stderr
    assert entries(folder) == before
    assert (folder / "old.csv").read_text() == "mine"


def test_a_plot_without_matplotlib_is_refused(folder, call, monkeypatch):
    monkeypatch.setattr(module, "sweep", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    refused = call(*SWEEP, "--plot", "p.png")
    assert refused.exit_code == 1
    assert "daskgmm[plot]" in refused.stderr


def test_overwrite_replaces(folder, call):
    (folder / "t.csv").write_text("old")
    command = ("sweep", "rows.npy", "-k", 2, "-o", "m.json", "--table", "t.csv", "--overwrite")
    for _ in range(2):
        assert call(*command).exit_code == 0
    assert (folder / "t.csv").read_text().startswith("n_components,")


def test_not_converged(folder, call):
    done = call("sweep", "rows.npy", "-k", "2", "-o", "m.json", "--max-iter", 2, "--tol", 0)
    assert done.exit_code == 3
    assert "not converged" in done.stdout
    assert done.stderr.count("Warning:") == 1
    assert "--max-iter 6" in done.stderr
    assert done.stderr.count("Warning:") == 1  # not Python's too
    assert load_model("m.json").n_components == 2


def test_a_sweep_goes_on_from_its_checkpoint(folder, call):
    first = call(*SWEEP, "--checkpoint", "c")
    again = call(*SWEEP, "--checkpoint", "c", "--overwrite")
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert again.stdout == first.stdout
    assert [line.split()[0] for line in again.stderr.splitlines()] == ["resuming", "measure"]
    refused = call(*SWEEP, "--checkpoint", "c", "--n-init", 2, "--overwrite")
    assert refused.exit_code == 1
    assert "n_init (--n-init) was 3 and is 2" in refused.stderr


def test_events_as_json_lines(folder, call):
    assert call(*SWEEP, "--log-json", "events.jsonl").exit_code == 0
    lines = (folder / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    passes = [event["name"] for event in events if event["event"] == "PassEnded"]
    assert (passes[0], passes[1], passes[-1]) == ("survey", "expectation", "measure")
    assert events[-2]["event"] == "SweepIterated"
    assert events[-2]["left"] == 0


def test_plain_lines(capsys):
    rows = clusters(30_000)
    with show() as listen:
        sweep(rows, (2, 3), random_state=0, sample_rows=3000, listen=listen)
    survey, sample, *passes, measure = capsys.readouterr().err.splitlines()
    for line, name in ((survey, "survey"), (sample, "sample"), (measure, "measure")):
        assert line.startswith(f"{name}  30,000 rows  720 kB")
    assert passes
    assert all(PASS.fullmatch(line) for line in passes)
    with show(quiet=True) as listen:
        assert listen is None


def test_terminal(capsys):
    console = Console(force_terminal=True, width=120, color_system=None)
    with make_bar(console) as bar:
        shown = Shown(bar=bar)
        titles = []
        for event in (
            PassEnded("survey", 10, 80, 1.0, 0),
            BatchDone(3, 4),
            PassEnded("expectation", 10, 80, 1.0, 0),
            PassEnded("expectation", 10, 80, 1.0, 0),
            SweepIterated(1, 2, 1),
            SweepIterated(2, 1, 0, 123456.789, 4, "full"),
        ):
            shown(event)
            titles.append(bar.tasks[0].description)
    assert titles == ["start", "start", "start", "start", "pass 2", "measure"]
    out = capsys.readouterr().out
    assert "pass 1  2 models, 1 left  1.0e+01 rows/s  2.00 s" in out
    assert "pass 2  1 model, 0 left  lowest BIC 123,456.8 (4 full)  " in out


@pytest.mark.parametrize(("option", "name"), [("--table", "t.csv"), ("--plot", "p.png")])
def test_a_full_disk_keeps_the_model_and_the_old_file(folder, call, monkeypatch, option, name):
    (folder / name).write_text("of an earlier run")
    monkeypatch.setattr("os.fsync", filled_up_at(name))
    failed = call("sweep", "rows.zarr", "-k", "2-3", "-o", "m.json", option, name, "--overwrite")
    assert failed.exit_code == 1
    (line,) = [line for line in failed.stderr.splitlines() if line.startswith("Error: ")]
    assert f"cannot be written to {name}" in line
    assert "The disk is full: free some of the disk" in line
    assert "What was there before is whole" in line
    assert (folder / name).read_text() == "of an earlier run"
    assert "m.json: 3 components" in failed.stdout
    assert load_model("m.json").n_components == 3
    assert {"m.json", name} == entries(folder) - {"rows.zarr", "rows.npy"}
