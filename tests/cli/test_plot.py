"""`daskgmm plot` draws model files."""

import numpy as np
import pytest
import xarray as xr

from daskgmm import GaussianMixture, GaussianMixtureClassifier
from daskgmm.cli.commands.plot import READS


@pytest.fixture(autouse=True)
def closed():
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    yield
    assert pyplot.get_fignums() == before


def test_components_by_default(model, call, folder):
    done = call("plot", model, "rows.zarr", "--features", "0,2")
    assert done.exit_code == 0, done.output
    assert done.stdout == "model-components.png: components of model.json\n"
    assert (folder / "model-components.png").read_bytes().startswith(b"\x89PNG")
    refused = call("plot", model)
    assert (refused.exit_code, "--overwrite" in refused.stderr) == (1, True)
    assert call("plot", model, "--overwrite", "-q").stdout == ""


def test_kinds_and_formats(model, call, folder):
    heads = {"pdf": b"%PDF", "svg": b"<?xml"}
    for kind, suffix in (("profiles", "pdf"), ("convergence", "svg"), ("timeline", "pdf")):
        done = call("plot", model, "--kind", kind, "-o", f"{kind}.{suffix}")
        assert done.exit_code == 0, done.output
        assert (folder / f"{kind}.{suffix}").read_bytes().startswith(heads[suffix])


@pytest.mark.slow
def test_corner_and_merging(model, call, folder):
    for kind in ("corner", "merging"):
        done = call("plot", model, "rows.npy", "--kind", kind)
        assert done.exit_code == 0, done.output
        assert (folder / f"model-{kind}.png").exists()


@pytest.mark.slow
def test_maps(folder, call):
    random = np.random.default_rng(0)
    temp = random.normal(size=(12, 9, 2)) + 8 * (np.arange(12) > 5)[:, None, None]
    data = xr.Dataset({"temp": (("lat", "lon", "depth"), temp)}, {"depth": [1, 2]})
    data.to_netcdf("ocean.nc")
    GaussianMixture(2, random_state=0).fit(data, feature_dims=["depth"]).save("ocean.json")
    for kind, more in (("labels", ()), ("posterior", ("--component", 1)), ("ambiguity", ())):
        done = call("plot", "ocean.json", "ocean.nc", "--kind", kind, *more)
        assert done.exit_code == 0, done.output
        assert (folder / f"ocean-{kind}.png").exists()


def test_classifiers(folder, call, rows):
    named = np.where(rows[:, 0] > np.median(rows[:, 0]), "high", "low").tolist()
    GaussianMixtureClassifier(tol=0.1).fit(rows, named).save("classes.json")
    assert call("plot", "classes.json", "rows.npy", "--features", 0).exit_code == 0
    refused = call("plot", "classes.json", "rows.npy", "--kind", "merging")
    assert (refused.exit_code, "are its classes" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (("rows.npy", "-o", "rows.npy"), 2, "is DATA"),
        (("-o", "model.json"), 2, "is MODEL"),
        (("-o", "a.txt"), 2, "not the name of a picture"),
        (("-o", "no/a.png"), 1, "no folder"),
        (("--kind", "merging"), 2, "name DATA"),
        (("rows.npy", "--kind", "profiles"), 2, "Leave it out"),
        (("--kind", "convergence", "--features", "0,1"), 2, "--features is for"),
        (("rows.npy", "--kind", "labels"), 2, "draws a map"),
        (("rows.npy", "--kind", "posterior"), 2, "--component"),
        (("--weights", "w.npy"), 2, "Name them"),
        (("--features", "0,9"), 2, "does not exist"),
        (("--features", "depth"), 2, "by name"),
    ],
)
def test_refusals(model, call, folder, given, code, said):
    refused = call("plot", model, *given)
    assert refused.exit_code == code, refused.output
    assert said in " ".join(refused.stderr.split())
    assert not list(folder.glob("*.png"))


def test_every_kind_is_in_the_help(call):
    text = call("plot", "--help").stdout
    assert all(kind in text for kind in READS)
    assert "Example:\n  daskgmm plot" in text
    assert max(map(len, text.splitlines())) <= 80
