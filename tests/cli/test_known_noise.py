"""Known noise of rows from the command line: columns, variables, and a path."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from daskgmm import GaussianMixture
from daskgmm.models.files.model_file import load_model
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
