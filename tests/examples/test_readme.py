"""What README and site show, works: their Python blocks, page by page, and their commands."""

import re
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from click.testing import CliRunner

from daskgmm.cli import main

ROOT = Path(__file__).parents[2]
SITE = ROOT / "examples" / "site"

N = 1200
"""Rows of the data that the pages name."""


def read(path):
    return path.read_text(encoding="utf-8")


def pages():
    """The pages of the site, in the order in which they are read."""
    listed = re.findall(r"```{toctree}\n.*?\n\n(.*?)```", read(SITE / "index.md"), re.DOTALL)
    names = "".join(listed).split()
    return [SITE / f"{name}.md" for name in names if not name.startswith("gallery/")]


TEXTS = {"README": [read(ROOT / "README.md")], "site": list(map(read, pages()))}


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def ocean():
    random = np.random.default_rng(1)
    temp = random.normal(size=(3, 20, 30, 4)) + 5.0 * random.integers(0, 3, (3, 20, 30, 1))
    temp[:, :4] = np.nan
    dims = ("time", "lat", "lon", "depth")
    places = {"lat": np.arange(20), "lon": np.arange(30), "depth": [0, 10, 20, 30]}
    variables = {"temp": (dims, temp), "salt": (dims, temp**2), "area": ("lat", np.ones(20))}
    return xr.Dataset(variables, places).chunk(time=1)


def events(part):
    random = np.random.default_rng(part)
    columns = {"energy": random.normal(size=500), "duration": random.normal(size=500)}
    number = {"n": random.integers(1, 5, 500), "id": [f"{part}-{i}" for i in range(500)]}
    return pd.DataFrame({**columns, **number})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the data that the README names."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 5, (N, 1)) * 40 + random.normal(size=(N, 3))
    zarr.create_array("pixels.zarr", data=pixels, chunks=(399, 3))
    for name in ("north", "south", "new"):
        zarr.create_array(f"{name}.zarr", data=pixels, chunks=(N // 2, 3))
    ocean().to_zarr("ocean.zarr", consolidated=False)
    (tmp_path / "events").mkdir()
    for part in range(3):
        events(part).to_parquet(tmp_path / "events" / f"{part}.parquet")
    zarr.create_array("weights.zarr", data=random.uniform(size=N), chunks=(N // 4,))
    image = pixels.reshape(30, 40, 3)
    zarr.create_array("image.zarr", data=image, chunks=(15, 40, 3))
    table = pd.DataFrame(pixels, columns=["x", "y", "z"]).assign(n=1.0, name="text")
    table.to_parquet("table.parquet")
    table.assign(y=table["y"].mask(table.index % 9 == 0))[["x", "y"]].to_parquet("gaps.parquet")
    (tmp_path / "run.yaml").write_text(blocks("\n".join(TEXTS["site"]), "yaml")[0])
    trees = pd.DataFrame(random.normal(size=(200, 2)), columns=["height", "girth"])
    trees["tree"] = [f"T{number}" for number in range(200)]
    trees["species"] = np.where(np.arange(200) < 90, "oak", "ash")
    trees.loc[trees["species"] == "oak", "height"] += 9
    trees.loc[::20, "girth"] = np.nan
    trees.to_csv("trees.csv", sep=";", index=False)
    trees.drop(columns="tree").dropna().to_parquet("iris.parquet")
    return tmp_path


@pytest.mark.slow  # a block starts a cluster
@pytest.mark.filterwarnings("ignore:Port 8787 is already in use")
@pytest.mark.parametrize(("name", "least"), [("README", 1), ("site", 14)])
def test_python(folder, name, least):
    """A page knows what the first one has made, and nothing of the pages between."""
    first, count = {}, 0
    for page in TEXTS[name]:
        session = {**first, "mixture": deepcopy(first["mixture"])} if first else {}
        for block in blocks(page, "python"):
            exec(compile(block, page[:60], "exec"), session)
            count += 1
        first = first or session
    assert count >= least
    made = {"README": "segments.zarr", "site": "labels.zarr"}[name]
    assert zarr.open_array(made, mode="r").shape == (N,)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("README", 6), ("site", 15)])
def test_commands(folder, name, least):
    commands = [
        line.split()[1:]
        for page in TEXTS[name]
        for block in blocks(page, "sh")
        for line in block.splitlines()
        if line.startswith("daskgmm ")
    ]
    assert len(commands) >= least
    for command in commands:
        assert CliRunner().invoke(main, command).exit_code == 0, command


def test_set_up_lines():
    """One line each, which makes its own virtual environment: the demo, and the fast tests."""
    lines = [line for block in blocks(TEXTS["README"][0], "sh") for line in block.splitlines()]
    lines = [line for line in lines if "venv" in line]
    made = [line for line in lines if line.startswith("python3 -m venv .venv && ")]
    ends = [line.split("/")[-1] for line in made]
    assert ends == ["daskgmm demo", 'pytest -q -n 2 -m "not slow"']
    assert [line for line in lines if line not in made] == [".venv/bin/pytest -q -n 4 -m slow"]
