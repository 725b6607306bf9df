"""`daskgmm update` writes a model that goes on with new rows."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from daskgmm import GaussianMixture, GaussianMixtureClassifier, load_model


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(400, 2))
    x[::2] += 6.0
    np.save("x.npy", x[200:])
    np.save("w.npy", np.full(200, 2.0))
    mixture = GaussianMixture(2, random_state=0).fit(x[:200])
    mixture.save("model.json")
    return mixture


def test_it_is_that_of_the_library(call, model):
    given = ("--forget", 0.5, "--weights", "w.npy", "--max-iter", 2)
    done = call("update", "model.json", "x.npy", "-o", "new.json", *given)
    assert done.exit_code == 0, done.output
    assert "new.json: 500 rows by weight so far; log likelihood of the new ones -" in done.stdout
    x, w = np.load("x.npy"), np.load("w.npy")
    assert_array_equal(load_model("new.json").means_, model.update(x, 0.5, w, max_iter=2).means_)
    said = call("info", "new.json").stdout
    assert "holds" in said
    assert "weight 500" in said
    assert call("update", "new.json", "x.npy", "-o", "again.json", "-q").stdout == ""
    assert load_model("again.json").n_seen_ == 700


def test_what_holds_no_rows(call, model):
    GaussianMixture(2, equal_weights=True).fit(np.load("x.npy")).save("equal.json")
    done = call("update", "equal.json", "x.npy", "-o", "new.json")
    assert done.exit_code == 2
    assert "equal_weights" in done.stderr


@pytest.mark.parametrize("command", ["update", "merge", "adapt"])
def test_a_classifier_keeps_its_classes(call, model, command):
    x = np.load("x.npy")
    GaussianMixtureClassifier().fit(x, np.arange(200) % 2).save("classes.json")
    done = call(command, "classes.json", "x.npy", "-o", "new.json")
    assert done.exit_code != 0
    assert "holds a classifier, whose classes" in done.stderr
    assert not Path("new.json").exists()
