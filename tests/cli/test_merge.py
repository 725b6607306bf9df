"""`daskgmm merge` writes a model whose components are merged to clusters."""

import numpy as np
import pytest
import zarr
from numpy.testing import assert_array_equal

from daskgmm import GaussianMixture, load_model

MERGE = ("merge", "model.json", "x.npy", "-o", "merged.json")


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    arms = random.normal(size=(2, 300, 2)) * [[[4, 0.3]], [[0.3, 4]]]
    x = np.concatenate([*arms, random.normal(size=(200, 2)) + 12.0])
    np.save("x.npy", x)
    np.save("w.npy", np.repeat([1.0, 2.0], 400))
    mixture = GaussianMixture(3, random_state=0).fit(x)
    mixture.save("model.json")
    return mixture


def test_the_clusters_are_those_of_the_library(call, model):
    x = np.load("x.npy")
    done = call(*MERGE)
    assert done.exit_code == 0, done.output
    assert "merged.json: 3 components in 2 clusters" in done.stdout
    assert done.stdout.count("<-") == 1
    wanted = model.merge_components(x)
    assert_array_equal(load_model("merged.json").clusters_, wanted.clusters_)
    assert (
        call("predict", "merged.json", "x.npy", "-o", "c.zarr", "--outputs", "cluster").exit_code
        == 0
    )
    assert_array_equal(zarr.open_group("c.zarr")["cluster"][:], wanted.predict_clusters(x))
    assert "clusters" in call("info", "merged.json").stdout


def test_the_number_is_given(call, model):
    done = call(*MERGE, "--n-clusters", 3, "--weights", "w.npy")
    assert "3 components in 3 clusters" in done.stdout
    assert call(*MERGE, "--n-clusters", 3).exit_code == 1
    wrong = call(*MERGE, "--n-clusters", 4, "--overwrite")
    assert wrong.exit_code == 2
    assert "give 1 to 3" in wrong.stderr


def test_clusters_of_a_model_without_any(call, model):
    done = call("predict", "model.json", "x.npy", "-o", "c.zarr", "--outputs", "cluster")
    assert done.exit_code == 2
    assert "daskgmm merge" in done.stderr
