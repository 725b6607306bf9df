"""A killed driver of predictions costs a few batches, and no bit."""

import json
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import zarr

from daskgmm import GaussianMixture
from daskgmm.models.writers.partial_places import JOURNAL
from tests.drivers import Driver
from tests.promises.predict_to_be_killed import predict_to_be_killed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

ROWS, CHUNK, D, K = 120_000, 5000, 8, 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with rows in both formats, a model, and what it says of the rows."""
    folder = tmp_path_factory.mktemp("predict")
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, D)) + 3.0 * random.integers(0, 3, (ROWS, 1))
    zarr.create_array(folder / "x.zarr", data=x, chunks=(CHUNK, D))
    features = [f"x{i}" for i in range(D)]
    frame = pd.DataFrame(x, columns=features).assign(name=np.arange(ROWS).astype(str))
    (folder / "x").mkdir()
    for number, start in enumerate(range(0, ROWS, CHUNK)):
        frame[start : start + CHUNK].to_parquet(folder / "x" / f"{number:02d}.parquet", index=False)
    mixture = GaussianMixture(K, random_state=0, max_iter=3, tol=0.1).fit(frame[features][:CHUNK])
    mixture.save(folder / "named.json")
    mixture = GaussianMixture(K, random_state=0, max_iter=3, tol=0.1).fit(x[:CHUNK])
    mixture.save(folder / "model.json")
    mixture.predict_to_zarr(folder / "x.zarr", folder / "whole.zarr", ["label", "posterior"])
    return folder


def driver(*arguments):
    return Driver(predict_to_be_killed, *arguments)


def killed_and_finished(folder, *arguments):
    """Kill a driver in mid-run; return batches that were done, of how many, and parts by time.

    Of each part that was there at the kill: when it was written, before and after.
    """
    out = Path(arguments[-1])
    root = out.with_name(f"{out.name}.partial")
    with driver(*arguments) as process:
        for _ in range(3):
            total = int(process.stdout.readline().split()[1])
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    done = json.loads(root.with_name(f"{root.name}{JOURNAL}").read_text())["done"]
    [aside] = root.iterdir()
    before = {path: path.stat().st_mtime_ns for path in parts(aside)}
    with driver(*arguments) as process:
        left = [int(line.split()[1]) for line in process.stdout]
        assert process.wait() == 0
    assert set(left) == {total - len(done)}
    now = {path: (out / path.relative_to(aside)).stat().st_mtime_ns for path in before}
    assert not list(out.parent.glob(f"{out.name}.*"))
    return len(done), total, [(before[path], now[path]) for path in before]


def parts(aside):
    """Return the chunks and files of an unfinished target that hold predictions."""
    files = [path for path in aside.rglob("*") if path.is_file() and path.name[0] != "."]
    return [path for path in files if "c" in path.parts or path.suffix == ".parquet"]


def test_zarr(folder):
    arguments = (folder / "x.zarr", folder / "model.json", folder / "out.zarr")
    done, total, times = killed_and_finished(folder, *arguments)
    assert 2 <= done < total
    arrays = 2
    untouched = sum(before == now for before, now in times)
    assert untouched >= arrays * done * (ROWS // CHUNK // total)
    whole, found = (zarr.open_group(folder / name, mode="r") for name in ("whole.zarr", "out.zarr"))
    for name in ("label", "posterior"):
        np.testing.assert_array_equal(found[name][:], whole[name][:])


def test_parquet(folder):
    arguments = (folder / "x", folder / "named.json", folder / "out.parquet")
    done, total, times = killed_and_finished(folder, *arguments)
    assert 2 <= done < total
    assert sum(before == now for before, now in times) >= done * (ROWS // CHUNK // total)
    found = pd.read_parquet(folder / "out.parquet")
    assert found["name"].tolist() == np.arange(ROWS).astype(str).tolist()
    whole = zarr.open_group(folder / "whole.zarr", mode="r")
    np.testing.assert_array_equal(found["label"], whole["label"][:])
    assert len(list((folder / "out.parquet").iterdir())) == ROWS // CHUNK
    assert pq.read_table(folder / "out.parquet").num_rows == ROWS
