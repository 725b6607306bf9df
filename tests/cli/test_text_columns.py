"""Tables with columns of texts: fits take their numbers and say so, where that is no guess."""

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from daskgmm import GaussianMixture, load_model
from daskgmm.errors import DataError
from tests.cli.data import clusters

PATHS = ("t.csv", "t.parquet", "d")
FIT = ("fit", "-k", 2, "--max-iter", 5, "--tol", 1, "-o", "m.json")
LINE = "name, kind left out, as text; the rest are features. --columns chooses.\n"


@pytest.fixture
def frame(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = pd.DataFrame(clusters(300), columns=["a", "b", "c"])
    found.insert(1, "name", [f"row {i}" for i in range(300)])
    found["kind"] = pd.Categorical(np.where(np.arange(300) % 3, "x", "y"))
    write(found)
    return found


def write(frame):
    frame.to_csv("t.csv", index=False)
    frame.to_parquet("t.parquet", row_group_size=100)
    Path("d").mkdir(exist_ok=True)
    frame[:100].to_parquet("d/0.parquet")
    frame[100:].to_parquet("d/1.parquet")


@pytest.mark.parametrize("path", PATHS)
def test_a_fit_takes_the_numbers_and_says_so(frame, call, path):
    done = call(*FIT, path)
    assert done.exit_code == 0, done.output
    assert f"{path}: {LINE}" in done.stderr
    found = load_model("m.json")
    assert list(found.feature_names_in_) == ["a", "b", "c"]
    assert call(*FIT, path, "--columns", "a,b,c", "--overwrite").stderr.count("left out") == 0
    assert_array_equal(load_model("m.json").means_, found.means_)
    assert "left out" not in call(*FIT, path, "--overwrite", "--quiet").output


@pytest.mark.parametrize("path", PATHS)
def test_what_is_fitted_is_taken_by_name_from_the_same_table(frame, call, path):
    assert call(*FIT, path).exit_code == 0
    for command in (
        ("predict", "m.json", path, "-o", "p.parquet", "--key", "name"),
        ("score", "m.json", path),
        ("update", "m.json", path, "-o", "n.json"),
    ):
        done = call(*command)
        assert done.exit_code == 0, done.output
        assert "left out" not in done.stderr
    labels = load_model("m.json").predict(frame[["a", "b", "c"]])
    assert_array_equal(pd.read_parquet("p.parquet")["label"], labels)


def test_plans_sweeps_and_info(frame, call):
    assert LINE in call("plan", "-k", 2, "t.csv").stderr
    swept = call("sweep", "t.parquet", "-k", "1-2", "--n-init", 1, "-o", "best.json")
    assert LINE in swept.stderr
    assert list(load_model("best.json").feature_names_in_) == ["a", "b", "c"]
    for path in PATHS:
        assert "text" in (told := call("info", path).stdout)
        assert "left out unless --columns has it: name,kind" in told


@pytest.mark.parametrize("path", PATHS)
def test_what_has_a_part_of_its_own_is_not_left_out(frame, call, path):
    labels = ("--labels", "kind", "--classifier")
    done = call("fit", path, *labels, "--weight-column", "c", "-o", "m.json")
    assert "positive" in done.output or done.exit_code == 1  # weights below 0
    write(frame.assign(c=1.0))
    done = call("fit", path, *labels, "--weight-column", "c", "-o", "m.json")
    assert done.exit_code == 0, done.output
    assert f"{path}: name left out, as text" in done.stderr


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([datetime.date(2026, 1, 1)] * 300, "columns that are not numbers: 'odd' (date32[day])"),
        (["1.5", "?", "2"] * 100, "of texts that are numbers mostly, such as '1.5', beside '?'"),
        (["1,5", "low", "2,5"] * 100, "such as '1,5', beside 'low'"),
    ],
)
def test_what_may_be_a_feature_is_an_error(frame, call, path, column, words):
    write(frame.assign(odd=column))
    refused = call(*FIT, path)
    assert refused.exit_code == 1, refused.output
    assert words in " ".join(refused.stderr.split())
    assert "--columns" in refused.stderr
    done = call(*FIT, path, "--columns", "a,c")
    assert done.exit_code == 0, done.output


def test_a_table_of_texts_alone(frame, call):
    frame[["name", "kind"]].to_parquet("n.parquet")
    refused = call(*FIT, "n.parquet")
    assert refused.exit_code == 1
    assert "columns that are not numbers" in refused.stderr


def test_from_python_texts_are_an_error_as_in_scikit_learn(frame):
    for table in (frame, "t.csv", "t.parquet"):
        with pytest.raises((DataError, ValueError), match=r"could not convert|not numbers"):
            GaussianMixture(2).fit(table)
