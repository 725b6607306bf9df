"""Known noise of rows from the command line: columns, variables, and a path."""

import json
from copy import copy

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from daskgmm import GaussianMixture
from daskgmm.models.model_file import load_model, save_model
from tests.cli.data import clusters

K = ("-k", 3, "--init", "k-means++")


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Rows and variances, as columns, as arrays, and on a grid."""
    monkeypatch.chdir(tmp_path)
    x = clusters(600)
    noise = np.random.default_rng(0).uniform(0.01, 0.1, x.shape)
    names = ["a", "b", "c", "ea", "eb", "ec"]
    frame = pd.DataFrame(np.hstack([x, noise]), columns=names)
    frame.to_parquet("t.parquet", row_group_size=200)
    np.save("x.npy", x)
    np.save("e.npy", noise)
    grid = {name: (("y", "x"), frame[name].to_numpy().reshape(20, 30)) for name in names}
    xr.Dataset(grid).to_zarr("g.zarr", consolidated=False)
    mixture = GaussianMixture(3, init_params="k-means++", random_state=0)
    return mixture.fit(x, noise_variance=noise)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("t.parquet", "--noise-variance", "ea,eb,ec"),
        ("t.parquet", "--columns", "a,b,c", "--noise-variance", "ea,eb,ec"),
        ("x.npy", "--noise-variance", "e.npy"),
        ("g.zarr", "--noise-variance", "ea,eb,ec"),
        ("g.zarr", "--variables", "a,b,c", "--noise-variance", "ea,eb,ec"),
    ],
    ids=" ".join,
)
def test_fits(data, call, arguments):
    done = call("fit", *arguments, *K, "-o", "m.json", "-q")
    assert done.exit_code == 0, done.output
    np.testing.assert_allclose(load_model("m.json").means_, data.means_, rtol=1e-8)
    done = call("sweep", *arguments, "-k", "2-3", "--n-init", 1, "-o", "s.json", "-q")
    assert done.exit_code == 0, done.output
    assert "noise_variance" in load_model("s.json").fitted_on_
    planned = call("plan", *arguments, *K)
    assert planned.exit_code == 0, planned.output
    assert "600 of 3 features" in planned.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("t.parquet", "--noise-variance", "ea,eb"), "names 2 columns"),
        (("t.parquet", "--noise-variance", "ea,eb,zz"), "no column 'zz'"),
        (("x.npy", "--noise-variance", "no.npy"), "no.npy does not exist"),
        (("x.npy", "--noise-variance", "no.zarr"), "no.zarr does not exist"),
        (("x.npy", "--noise-variance", "e.npy", "--pca", "2"), "--noise-variance"),
    ],
    ids=str,
)
def test_errors_name_what_to_do(data, call, arguments, words):
    done = call("fit", *arguments, *K, "-o", "m.json", "-q")
    assert done.exit_code != 0
    assert words in done.output + done.stderr


GIVEN = [
    ("t.parquet", "--noise-variance", "ea,eb,ec"),
    ("x.npy", "--noise-variance", "e.npy"),
    ("g.zarr", "--noise-variance", "ea,eb,ec"),
]


@pytest.fixture
def known(data):
    """The same, with a model file of columns with names, and one of arrays."""
    columns = copy(data)
    columns.feature_names_in_ = np.array(["a", "b", "c"], dtype=object)
    save_model(columns, "t.parquet.json")
    columns.feature_dims_ = ()
    save_model(columns, "g.zarr.json")
    save_model(data, "x.npy.json")
    x, noise = np.load("x.npy"), np.load("e.npy")
    return data, x, noise


@pytest.mark.parametrize("arguments", GIVEN, ids=" ".join)
def test_predictions_and_scores(known, call, arguments):
    mixture, x, noise = known
    given = (f"{arguments[0]}.json", *arguments)
    done = call(
        "predict", *given, "--out", "p.zarr", "--outputs", "posterior", "--dtype", "float64"
    )
    assert done.exit_code == 0, done.output
    found = np.asarray(zarr.open_group("p.zarr", mode="r")["posterior"]).reshape(-1, 3)
    wanted = mixture.predict_proba(x, noise_variance=noise)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    done = call("score", *given, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    score = mixture.score(x, noise_variance=noise)
    assert found["log_likelihood"] == pytest.approx(score, rel=1e-12)
    assert found["bic"] == pytest.approx(mixture.bic(x, noise_variance=noise), rel=1e-12)
    assert found["icl"] == pytest.approx(mixture.icl(x, noise_variance=noise), rel=1e-12)


def test_parquet(known, call):
    mixture, x, noise = known
    for model, given in (("t.parquet.json", "ea,eb,ec"), ("t.parquet.json", "e.npy")):
        done = call("predict", model, "t.parquet", "--out", "p.parquet", "--outputs", "label",
                    "--key", "a", "--noise-variance", given, "--overwrite")  # fmt: skip
        assert done.exit_code == 0, done.output
        found = pd.read_parquet("p.parquet")
        np.testing.assert_array_equal(found["a"], x[:, 0])
        np.testing.assert_array_equal(found["label"], mixture.predict(x, noise_variance=noise))


def test_merge(known, call):
    mixture, x, noise = known
    arguments = "x.npy", "--noise-variance", "e.npy", "--n-clusters", 2, "--out", "n.json"
    done = call("merge", "x.npy.json", *arguments)
    assert done.exit_code == 0, done.output
    merged = mixture.merge_components(x, 2, noise_variance=noise)
    np.testing.assert_array_equal(load_model("n.json").clusters_, merged.clusters_)
