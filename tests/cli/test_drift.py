"""`daskgmm drift` says whether data are from a model."""

import json

import numpy as np
import pytest

from daskgmm import GaussianMixture


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(4000, 2))
    x[::2] += 8.0
    np.save("x.npy", x[:2000])
    np.save("moved.npy", x[2000:] + np.array([0.0, 0.5]))
    np.save("w.npy", np.ones(2000))
    mixture = GaussianMixture(2, random_state=0, tol=1e-5).fit(x)
    mixture.save("model.json")
    return mixture


def test_the_report_is_that_of_the_library(call, model):
    done = call("drift", "model.json", "x.npy", "--weights", "w.npy", "--level", 1e-6)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == repr(model.drift(np.load("x.npy")))


def test_drift_has_an_exit_code_where_it_is_asked_for(call, model):
    assert call("drift", "model.json", "moved.npy").exit_code == 0
    done = call("drift", "model.json", "moved.npy", "--level", 0.01)
    assert done.exit_code == 4
    assert "column 1" in done.stdout.splitlines()[4]
    assert "drift.changes()" not in done.stdout
    least = ("--level", 0.01, "--least", 10)
    assert call("drift", "model.json", "moved.npy", *least).exit_code == 0
    wrong = call("drift", "model.json", "moved.npy", "--least", 1)
    assert wrong.exit_code == 2


def test_json(call, model):
    found = json.loads(call("drift", "model.json", "moved.npy", "--json").stdout)
    wanted = model.drift(np.load("moved.npy"))
    assert found["p_value"] == wanted.p_value
    assert found["changes"][0]["feature"] == "column 1"
    assert found["rows"] == 2000


def test_a_model_that_has_no_test(call, model):
    GaussianMixture(2, noise=True).fit(np.load("x.npy")).save("noise.json")
    done = call("drift", "noise.json", "x.npy")
    assert done.exit_code == 2
    assert "without noise" in done.stderr


def test_rows_with_gaps_are_left_out_as_the_error_says(call, model):
    GaussianMixture(2, missing="marginalise").fit(np.load("x.npy")).save("gaps.json")
    done = call("drift", "gaps.json", "x.npy")
    assert (done.exit_code, "--missing drop" in done.stderr) == (2, True)
    done = call("drift", "gaps.json", "x.npy", "--missing", "drop")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Drift of 2,000 rows")
