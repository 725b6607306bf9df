"""`daskgmm adapt` writes a model that was adapted to rows."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from daskgmm import GaussianMixture, load_model


@pytest.fixture
def background(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    np.save("few.npy", random.normal(size=(50, 2)) + 1.0)
    mixture = GaussianMixture(2, random_state=0).fit(random.normal(size=(500, 2)) * [3, 1])
    mixture.save("background.json")
    return mixture


def test_the_model_is_that_of_map_adapt(call, background):
    names = ["--parameters", "means,weights", "--relevance", "4"]
    result = call("adapt", "background.json", "few.npy", "--out", "speaker.json", *names)
    assert result.exit_code == 0, result.output
    assert "relevance 4" in result.output
    wanted = background.map_adapt(np.load("few.npy"), 4, ("means", "weights"))
    speaker = load_model("speaker.json")
    assert_array_equal(speaker.means_, wanted.means_)
    assert_array_equal(speaker.weights_, wanted.weights_)
    told = call("info", "speaker.json")
    assert told.exit_code == 0, told.output


def test_what_cannot_be_adapted_or_written_is_refused(call, background):
    background.save("old.json")
    for more in (["-o", "old.json"], ["-o", "new.json", "--parameters", "mean"]):
        result = call("adapt", "background.json", "few.npy", *more)
        assert result.exit_code == 1
        assert "exists" in result.output or "give some of weights" in result.output
