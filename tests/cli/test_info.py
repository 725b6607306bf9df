"""`daskgmm info` shows the card of a model file."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

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


def with_gaps(folder):
    """Rows with 3 gaps in column 1, as a .npy file, a Zarr array, variables and a NetCDF file."""
    rows = np.random.default_rng(0).normal(size=(40, 2))
    rows[[3, 17, 39], 1] = np.nan
    np.save(folder / "a.npy", rows)
    zarr.create_array(folder / "a.zarr", data=rows, chunks=(7, 1))
    grid = xr.Dataset(
        {name: (("y", "x"), rows[:, i].reshape(4, 10)) for i, name in enumerate("ab")}
    )
    packed = {"b": {"dtype": "i2", "scale_factor": 0.01, "_FillValue": -99}}
    grid.to_netcdf(folder / "a.nc", encoding=packed)
    grid.to_zarr(folder / "g.zarr", encoding=packed, consolidated=False)


@pytest.mark.parametrize(
    ("path", "column"),
    [("a.npy", "column 1"), ("a.zarr", "column 1"), ("a.nc", "b"), ("g.zarr", "b")],
)
def test_gaps_of_arrays_are_counted(told, tmp_path, monkeypatch, path, column):
    monkeypatch.chdir(tmp_path)
    with_gaps(tmp_path)
    lines = told(path).splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("  gaps in"))
    assert lines[place + 1].split("  ")[-1] == "3 rows (7.50%)"
    assert lines[place + 1].startswith(f"    {column} ")
    assert lines[place + 2].startswith("  use")


def test_gaps_of_large_arrays_are_counted_if_asked_for(told, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with_gaps(tmp_path)
    monkeypatch.setattr("daskgmm.report.gaps.MOST_BYTES", 100)
    assert "not counted, as data this large are not read; --gaps counts them" in told("a.zarr")
    assert "3 rows (7.50%)" in call("info", "a.zarr", "--gaps").output


def test_of_what_has_no_gaps_it_is_said(told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("whole.npy", np.zeros((3, 2)))
    np.save("integers.npy", np.zeros((3, 2), np.int8))
    assert "  gaps   none\n" in told("whole.npy")
    assert "gaps" not in told("integers.npy")


def test_a_checkpoint_is_told_as_one(folder, call, told):
    fit = ("fit", "rows.zarr", "-k", 3, "--max-iter", 2, "--tol", 0, "--checkpoint", "c.json")
    assert call(*fit, "-o", "m.json").exit_code == 3
    lines = told("c.json").splitlines()
    assert lines[0] == "c.json: checkpoint of a fit, which is not a model yet"
    assert lines[1].split(maxsplit=1) == ["of", "3 components, full"]
    assert lines[2].split(maxsplit=1) == ["rows", "3,000 of 3 columns"]
    assert lines[3].startswith("  so far     2 iterations, bound -")
    assert lines[3].endswith(", not converged")
    assert "`daskgmm fit`" in lines[5]
    assert "--checkpoint c.json" in lines[5]
    refused = call("predict", "c.json", "rows.zarr", "-o", "p.zarr").stderr
    assert "c.json is the checkpoint of a fit or sweep, which has not written its model" in refused
    assert "--checkpoint c.json and the same data" in refused
    content = Path("c.json").read_text()
    Path("c.json").write_text(content.replace('"n_components": 3', '"n_components": 4'))
    assert "damaged" in call("info", "c.json").stderr


def test_a_checkpoint_of_a_sweep(folder, call, told):
    asked = ("sweep", "rows.zarr", "-k", "1-2", "--n-init", 1, "--sample-rows", 200)
    assert call(*asked, "--max-iter", 1, "--checkpoint", "s.json", "-o", "m.json").exit_code in (
        0,
        3,
    )
    text = told("s.json")
    assert "s.json: checkpoint of a sweep, which is not a model yet" in text
    assert "1, 2 components, full" in text
    assert "models converged" in text
    fit = call("fit", "rows.zarr", "-k", 2, "--checkpoint", "s.json", "-o", "fit.json").stderr
    assert "s.json is not of the same kind: it is of a sweep, and this is a fit" in fit


def unusable(kind, x, path):
    """Write columns a, b and c."""
    frame = pd.DataFrame(x, columns=[*"abc"])
    if kind == "x.csv":
        frame.to_csv(path / kind, index=False)
    elif kind == "x.parquet":
        frame.to_parquet(path / kind, index=False)
    elif kind == "x.npy":
        np.save(path / kind, x)
    else:
        variables = {name: ("row", frame[name].to_numpy()) for name in frame}
        xr.Dataset(variables).to_zarr(path / kind, consolidated=False)
    return path / kind


KINDS = ["x.csv", "x.parquet", "x.npy", "x.zarr"]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_no_fit_takes_are_not_said_to_be_fitted(told, tmp_path, kind):
    x = np.random.default_rng(0).normal(size=(20, 3))
    x[:, 1], x[3, 2] = np.nan, np.inf
    text = told(unusable(kind, x, tmp_path))
    b, c = ("column 1", "column 2") if kind == "x.npy" else ("b", "c")
    assert f"{b!r} (no value in any row), {c!r} (infinite in 1 row): leave out" in text
    use = text.partition(" use ")[2].splitlines()[0].split()
    named = {"x.csv": "--columns a", "x.parquet": "--columns a", "x.zarr": "--variables a"}
    expected = f"can be fitted: {named[kind]}" if kind in named else "cannot be fitted: 20 rows of"
    assert " ".join(use).startswith(expected)
    assert len(use) == 5 or kind == "x.npy"


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_rows_is_not_said_to_be_fitted(told, tmp_path, kind):
    text = told(unusable(kind, np.zeros((0, 3)), tmp_path))
    assert "cannot be fitted: it has no rows, and a fit needs 2 or more" in text


def test_usable_columns_are_as_before(told, tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 3))
    x[2, 1] = np.nan
    text = told(unusable("x.csv", x, tmp_path))
    assert "can be fitted: --columns a,b,c" in text
    assert "not usable" not in text


@pytest.mark.parametrize(
    ("missing", "said"),
    [("drop", "20 rows that miss a value left out"), ("marginalise", "5 rows without any value")],
)
def test_rows_that_are_left_out_are_told(folder, call, told, missing, said):
    x = np.random.default_rng(0).normal(size=(300, 3))
    x[:20, 0] = x[:5] = np.nan
    np.save("gaps.npy", x)
    fit = ("fit", "gaps.npy", "-k", 2, "--missing", missing, "-o", "m.json", "--max-iter", 5)
    result = call(*fit)
    assert said in result.stdout + result.stderr
    assert said in told("m.json")


@pytest.mark.parametrize("suffix", ["zarr", "parquet"])
def test_predictions_tell_how_they_were_made(call, told, folder, suffix):
    rows = np.random.default_rng(0).normal(size=(200, 2))
    rows[5, 1] = np.nan
    pd.DataFrame(rows, columns=["temp", "salt"]).to_parquet(folder / "gaps.parquet")
    fit = "fit", "gaps.parquet", "-k", 2, "--missing", "marginalise", "--out", "m.json", "--quiet"
    assert call(*fit).exit_code == 0
    filled = ("impute", "m.json", "gaps.parquet", "--seed", 5, "--out", f"p.{suffix}", "--quiet")
    assert call(*filled).exit_code == 0
    text = " ".join(told(f"p.{suffix}").split())
    digest = json.loads((folder / "m.json").read_text())["sha256"][:12]
    assert f"model m.json, sha256 {digest}" in text
    assert f"checksum sha256 {digest}" in " ".join(told("m.json").split())
    assert "gaps rows predicted from the values that they have (marginalise)" in text
    assert "seed 5" in text
    assert "features temp,salt" in text
    assert "written by daskgmm " in text


@pytest.mark.parametrize("suffix", ["zarr", "parquet"])
def test_gaps_that_stay_are_told(call, told, folder, suffix):
    """A row without any value keeps its gaps; so does a column of gaps alone."""
    rows = np.random.default_rng(0).normal(size=(200, 2))
    pd.DataFrame(rows, columns=["temp", "salt"]).to_parquet(folder / "whole.parquet")
    fit = "fit", "whole.parquet", "-k", 2, "--missing", "marginalise", "--out", "m.json", "--quiet"
    assert call(*fit).exit_code == 0
    rows[5], rows[7, 1] = np.nan, np.nan
    pd.DataFrame(rows, columns=["temp", "salt"]).to_parquet(folder / "gaps.parquet")
    assert call("impute", "m.json", "gaps.parquet", "--out", f"p.{suffix}").exit_code == 0
    text = " ".join(told(f"p.{suffix}").split())
    assert "gaps in rows without a value: these gaps stay" in text
    assert "temp 1 row (0.50%) salt 1 row (0.50%) use can be fitted" in text
    rows[:] = np.nan
    pd.DataFrame(rows, columns=["temp", "salt"]).to_parquet(folder / "gaps.parquet")
    assert call("impute", "m.json", "gaps.parquet", "--out", f"n.{suffix}").exit_code == 0
    text = " ".join(told(f"n.{suffix}").split())
    assert "use cannot be fitted" in text
    assert "'salt' (no value in any row)" in text


def test_points_of_gaps_alone_cannot_be_fitted(told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    points = np.random.default_rng(0).normal(size=(4, 5, 2))
    points[..., 1] = np.nan
    zarr.create_array("x.zarr", data=points, chunks=(2, 5, 1))
    text = " ".join(told("x.zarr").split())
    assert "column 1 20 rows (100.00%) use cannot be fitted as it is" in text
    assert "not usable 'column 1' (no value in any row)" in text
    points[..., 1] = 0.0
    zarr.create_array("y.zarr", data=points, chunks=(2, 5, 1))
    assert "gaps none use can be fitted" in " ".join(told("y.zarr").split())


def test_a_checkpoint_is_named_as_one(folder, call, told):
    fit = ("fit", "rows.zarr", "-k", 3, "--max-iter", 2, "--tol", 0)
    url = "memory://daskgmm-info/c.ckpt"
    assert call(*fit, "--checkpoint", url, "-o", "m.json").exit_code == 3
    assert "checkpoint of a fit, which is not a model yet" in told(url)
    assert call(*fit, "--checkpoint", "c.json", "-o", "n.json").exit_code == 3
    refused = call(*fit, "-o", "c.json", "--overwrite")
    assert refused.exit_code == 1
    assert "c.json is the checkpoint of a fit or sweep, and no model" in refused.stderr
