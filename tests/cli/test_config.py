"""Options from a file: the same bits as typed ones; what is typed wins; wrong keys are refused."""

import json

import numpy as np
import pandas as pd
import pytest

from daskgmm.models.model_file import load_model

FIT = ("fit", "rows.npy", "--max-iter", 2, "--overwrite")


SETTINGS = {
    "yaml": "data: rows.npy\ncomponents: 2\ncovariance: tied\nn_init: 2\nstandardise: true\n"
    "tol: 1e-2\nseed: 7\nequal-weights: no\nprior: null\nquiet: on\n",
    "toml": 'data = "rows.npy"\ncomponents = 2\ncovariance = "tied"\nn-init = 2\n'
    "standardise = true\ntol = 1e-2\nseed = 7\nquiet = true\n",
    "json": '{"data": "rows.npy", "components": 2,\n\t"covariance": "tied", "n_init": 2,'
    '"standardise": true, "tol": 1e-2, "seed": 7, "prior": null, "quiet": true}',
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_run_from_a_file_has_the_bits_of_one_from_options(folder, call, kind):
    (folder / f"run.{kind}").write_text(SETTINGS[kind])
    filed = call("fit", "--config", f"run.{kind}", "-o", "filed.json")
    options = "-k 2 --covariance tied --n-init 2 --standardise --tol 1e-2 --seed 7 -q"
    typed = call("fit", "rows.npy", *options.split(), "-o", "typed.json")
    assert (filed.exit_code, typed.exit_code) == (0, 0), filed.output + typed.output
    filed, typed = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("filed", "typed")
    )
    times = {"history", "written", "sha256"}
    assert {name for name in filed if filed[name] != typed[name]} <= times
    assert filed["means"] == typed["means"]


def test_what_is_typed_wins(folder, call):
    (folder / "run.yaml").write_text("components: 3\nmax-iter: 2\ncovariance: [diag]\n")
    done = call("fit", "rows.npy", "--config", "run.yaml", "-k", 2, "-o", "m.json")
    assert done.exit_code in (0, 3), done.output
    found = load_model("m.json")
    assert (found.n_components, found.covariance_type, found.max_iter) == (2, "diag", 2)


@pytest.mark.parametrize("text", ["[1, 2]", "1,2", "\n- 1\n- 2"])
def test_lists_and_texts_of_options_with_several_values(folder, call, rows, text):
    np.save("few.npy", rows[:300])
    (folder / "run.yaml").write_text(f"components: {text}\ncovariance: [full, diag]\nn-init: 1\n")
    done = call("sweep", "few.npy", "--config", "run.yaml", "--max-iter", 2, "-o", "best.json")
    assert done.exit_code in (0, 3), done.output
    for k in ("1", "2"):
        for structure in ("full", "diag"):
            assert any({k, structure} <= {*line.split()} for line in done.stdout.splitlines())


def test_names_of_columns_are_texts(folder, call, rows):
    """`no` and `010` are what they are, no truth value and no octal number."""
    pd.DataFrame(rows[:300], columns=["no", "010", "1e3"]).to_parquet("t.parquet")
    (folder / "run.yaml").write_text("columns: [no, 010, 1e3]\ncomponents: 2\nmax-iter: 2\n")
    call("fit", "t.parquet", "--config", "run.yaml", "-o", "m.json")
    assert list(load_model("m.json").feature_names_in_) == ["no", "010", "1e3"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("componets: 3", "'componets' is not an option of this command; did you mean 'components'"),
        ("n_inits: 3", "'n_inits' is not an option of this command; did you mean 'n-init'?"),
        ("elephant: 3", "'elephant' is not an option of this command; --help lists the options."),
        ("config: other.yaml", "'config' is not an option"),
        ("n-init: [1, 2]", "Invalid value for '--n-init': '1,2'"),
        ("noise: 1", "'noise' is '1'; give true or false"),
        ("n-init: many", "Invalid value for '--n-init'"),
        ("seed: {a: 1}", "'seed' holds more than a value"),
        ("columns: []", "'columns' is an empty list"),
        ("seed: 1\nseed: 2", "'seed' is there twice"),
        ("n-init: 1\nn_init: 2", "'n_init' is there twice"),
        ("- seed", "holds no options"),
        ("seed: [", "cannot be read: while parsing"),
        ("prior: null\ncluster: slurm", "--cluster and --cluster-options go together"),
        ("criterion: aic", "--criterion goes with --classifier"),
    ],
)
def test_refused(folder, call, text, words):
    (folder / "run.yaml").write_text(text)
    refused = call(*FIT, "-k", 2, "-o", "m.json", "--config", "run.yaml")
    assert refused.exit_code == 2, refused.output
    assert words in " ".join(refused.stderr.split())
    assert not (folder / "m.json").exists()


def test_files_that_are_none(folder, call):
    (folder / "run.toml").write_text("seed 7")
    (folder / "run.json").write_text("[1]")
    (folder / "none.yaml").write_bytes(b"\xff\xfe\x00")
    (folder / "empty.yaml").write_text("# nothing yet\n")
    for name, words in (
        ("absent.yaml", "cannot be read: No such file or directory."),
        ("run.toml", "cannot be read"),
        ("run.json", "holds no options"),
        ("none.yaml", "cannot be read"),
    ):
        refused = call(*FIT, "-k", 2, "-o", "m.json", "--config", name)
        assert (refused.exit_code, words in refused.stderr) == (2, True), refused.output
    assert call(*FIT, "-k", 1, "-o", "m.json", "--config", "empty.yaml").exit_code == 0
    assert call("fit", "--config", "absent.yaml", "--help").exit_code == 0


def test_the_file_is_read_and_so_nothing_is_written_there(folder, call):
    (folder / "run.json").write_text('{"components": 2}')
    refused = call(*FIT, "--config", "run.json", "-o", "./run.json")
    assert refused.exit_code == 2
    assert "is --config, which the command reads" in " ".join(refused.stderr.split())
    assert (folder / "run.json").read_text() == '{"components": 2}'


def test_other_commands_take_one(folder, call, model):
    (folder / "run.yaml").write_text("outputs: [label, ambiguity]\nout: p.zarr\ndata: rows.zarr\n")
    done = call("predict", model, "--config", "run.yaml")
    assert done.exit_code == 0, done.output
    assert "(label, ambiguity)" in done.stdout
