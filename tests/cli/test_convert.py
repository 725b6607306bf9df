"""`daskgmm convert`, and fits of CSV files by path."""

import shlex

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

import daskgmm
from daskgmm import csv_to_parquet, load_model
from tests.cli.data import clusters


@pytest.fixture
def frame(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(clusters(300, 2), columns=["temp", "salt"]).assign(ship="Sonne")
    frame.to_csv("x.csv", index=False)
    return frame


def test_a_file_becomes_parquet(call, frame):
    done = call("convert", "x.csv", "-o", "x.parquet")
    assert done.exit_code == 0, done.output
    assert "x.parquet: 300 rows of 3 columns" in done.stdout
    assert "Fits leave out ship (text)." in done.stdout
    assert_array_equal(pd.read_parquet("x.parquet"), frame)
    assert call("convert", "x.csv", "-o", "x.parquet").exit_code == 1
    done = call("convert", "x.csv", "x.csv", "-o", "x.parquet", "--overwrite", "--quiet")
    assert (done.exit_code, done.stdout) == (0, "")
    assert len(pd.read_parquet("x.parquet")) == 600


@pytest.mark.parametrize("name", ["x.csv", "X.CSV.gz"])
def test_info_lists_columns_and_their_types(call, frame, name):
    frame.to_csv(name, index=False, sep=";", compression="infer")
    done = call("info", name)
    assert done.exit_code == 0, done.output
    assert f"{name}: CSV" in done.stdout
    assert "temp    double" in done.stdout
    assert "ship    string" in done.stdout
    assert "can be fitted: --columns temp,salt" in done.stdout


def test_a_small_one_is_fitted_as_it_is(call, frame):
    fit = ("fit", "x.csv", "-k", 3, "--seed", 0, "-o", "m.json")
    done = call(*fit, "--columns", "temp,salt")
    assert done.exit_code == 0, done.output
    done = call("predict", "m.json", "x.csv", "-o", "p.parquet", "--key", "ship")
    assert done.exit_code == 0, done.output
    labels = load_model("m.json").predict(frame[["temp", "salt"]])
    assert_array_equal(pd.read_parquet("p.parquet")["label"], labels)
    done = call("predict", "m.json", "x.csv", "-o", "p.zarr")
    assert done.exit_code == 0, done.output


def test_a_place_that_is_read_is_refused(call, frame):
    assert call("convert", "x.csv", "-o", "x.csv", "--overwrite").exit_code != 0
    assert len(pd.read_csv("x.csv")) == len(frame)
    assert np.isfinite(frame["temp"]).all()


def advised(text):
    """Return the arguments of the command that a message names."""
    command = " ".join(text.split()).partition("`daskgmm ")[2].partition("`")[0]
    return shlex.split(command)


@pytest.mark.parametrize("command", ["fit", "info"])
def test_a_message_names_a_command_that_can_be_run(call, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    lines = [f"{place},{place % 7};{place % 3},5" for place in range(40)]
    (tmp_path / "my x.csv").write_text("\n".join(["a;b", *lines, "n. a.;1,5"]))
    asked = ("my x.csv", "-k", 1, "-o", "m.json") if command == "fit" else ("my x.csv",)
    done = call(command, *asked)
    told = " ".join((done.stdout + done.stderr).split())
    expected = "convert 'my x.csv' --out 'my x.parquet' --decimal , --missing 'n. a.'"
    assert f"`daskgmm {expected}`" in told
    done = call(*advised(told))
    assert (done.exit_code, done.stderr) == (0, "")
    frame = pd.read_parquet("my x.parquet")
    assert frame["a"].isna().sum() == 1
    assert frame["b"][:3].tolist() == [0.5, 1.5, 2.5]


def test_in_python_it_is_a_call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("a;b\n1,5;2\n2,5;3\n")
    with pytest.warns(UserWarning, match="mostly numbers") as told:
        csv_to_parquet("x.csv", "y.parquet", delimiter=";")
    call = str(told[0].message).rpartition("again: ")[2].rstrip(".")
    assert call.startswith(
        "daskgmm.csv_to_parquet('x.csv', 'y.parquet', delimiter=';', decimal=','"
    )
    eval(call, {"daskgmm": daskgmm})
    assert pd.read_parquet("y.parquet")["a"].tolist() == [1.5, 2.5]


def test_text_that_is_numbers_is_said(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("Ort;Länge\nKöln;1,5\nUlm;-\nBonn;2,5\n", "latin-1")
    done = call("convert", "x.csv", "-o", "x.parquet")
    assert "convert --encoding latin-1" in done.stderr
    options = ("--encoding", "latin-1", "-o", "x.parquet", "--overwrite")
    done = call("convert", "x.csv", *options)
    assert done.exit_code == 0, done.output
    assert "'Länge' (such as '1,5', beside '-')" in done.stderr
    assert "Ort" not in done.stderr
    done = call(*advised(done.stderr))
    assert (done.exit_code, done.stderr) == (0, "")
    assert pd.read_parquet("x.parquet")["Länge"].sum() == 4.0
