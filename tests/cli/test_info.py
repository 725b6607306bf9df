"""`daskgmm info` shows the card of a model file."""

import json
from pathlib import Path

import pytest

from daskgmm.models.model_file import load_model

GOLDEN = Path(__file__).parents[1] / "models" / "golden"


@pytest.fixture
def told(call):
    def run(path):
        result = call("info", path)
        assert result.exit_code == 0, result.output
        return result.output

    return run


@pytest.mark.parametrize("name", ["v1-tied", "v2-full", "v2-spherical", "v2-stopped"])
def test_every_version(told, name):
    text = told(GOLDEN / f"{name}.json")
    assert "log likelihood" in text
    assert ("BIC" in text) == (name in ("v2-full", "v2-spherical"))
    assert "free parameters" in text
    assert "coordinates" not in text


@pytest.mark.parametrize(
    ("name", "prior"),
    [
        ("v2-bayesian", "dirichlet_process of concentration 0.2"),
        ("v2-bayesian-tied", "dirichlet_distribution of concentration 0.01"),
    ],
)
def test_a_posterior(told, name, prior):
    text = told(GOLDEN / f"{name}.json")
    mixture = load_model(GOLDEN / f"{name}.json")
    used = int((mixture.mean_precision_ - mixture.mean_precision_prior_ > 1).sum())
    assert f"{name}.json: Bayesian Gaussian mixture" in text
    assert f"{mixture.n_components}, of which {used} hold more than one row" in text
    assert "variational bound" in text
    assert prior in text
    assert "criteria" not in text


def test_a_card(told):
    text = told(GOLDEN / "v2-coordinates.json")
    data = json.loads((GOLDEN / "v2-coordinates.json").read_text())["data"]
    assert "columns standardised, 2 principal axes, 89.2% of" in text
    assert f"900 rows, float64, s3://ocean/rows.zarr, sha256 {data['sha256'][:12]}" in text
    assert "in the last pass of the fit" in text
    # Columns and means are those of the data.
    assert "salinity [1]" in text
    assert " größe " in text
    assert "depth [m]" in text
    mixture = load_model(GOLDEN / "v2-coordinates.json")
    means = mixture.coordinates_.undo(mixture.means_)
    assert all(f"{value:.5g}" in text for value in means.ravel())


def test_weighted(told, folder):
    mixture = load_model(GOLDEN / "v2-full.json")
    mixture.fitted_on_ = {"rows": 900, "weight": 123.5, "dtype": "float32"}
    mixture.save(folder / "w.json")
    assert "900 rows, weight 123.5, float32\n" in told("w.json")


def test_a_url(told):
    load_model(GOLDEN / "v2-full.json").save("memory://daskgmm-info/m.json")
    assert told("memory://daskgmm-info/m.json").startswith("memory://daskgmm-info/m.json: Gauss")


@pytest.mark.slow
def test_a_fit_to_a_url(call, folder, told):
    url = "memory://daskgmm-info/fit.json"
    arguments = ("fit", "rows.zarr", "-k", 3, "--out", url, "--quiet")
    assert call(*arguments).exit_code == 0
    assert load_model(url).n_components == 3
    again = call(*arguments)
    assert again.exit_code != 0
    assert "exists" in again.output
    assert call(*arguments, "--overwrite").exit_code == 0
    swept = call("sweep", "rows.zarr", "-k", "1-2", "--out", url, "--quiet", "--overwrite")
    assert swept.exit_code == 0, swept.output
    assert "BIC" in told(url)
    assert "at these parameters" in told(url)
