"""The command lines in the manifests are ones that Dask and daskgmm have."""

import click
import pytest
from dask.utils import parse_timedelta

from tests.deploy.command_lines import parsed
from tests.deploy.kubernetes.pods import pods
from tests.deploy.kubernetes.rendering import FITS, OVERLAYS, PREDICTIONS, composed


@pytest.mark.parametrize("name", OVERLAYS)
def test_workers_and_schedulers(name, pods_of):
    roles = pods_of(name)
    assert parsed(roles["scheduler"][0].command_line)["port"] is None  # 8786
    for worker in roles["worker"]:
        given = parsed(worker.command_line)
        assert given["nthreads"] == 2
        assert given["memory_limit"] == str(3584 << 20)
        assert given["nanny"] is True
        assert given["name"]
    names = {parsed(worker.command_line)["name"] for worker in roles["worker"]}
    assert len(names) == len(roles["worker"])


@pytest.mark.parametrize("name", FITS)
def test_fits(name, pods_of):
    (driver,) = pods_of(name)["driver"]
    given = parsed(driver.command_line)
    at = "/data/" if name.endswith("pvc") else "s3://bucket/"
    assert (given["data"], given["out"]) == (f"{at}rows.zarr", f"{at}model.json")
    assert (given["checkpoint"], given["n_components"]) == (f"{at}fit.ckpt", [10])
    assert given["scheduler"] == "tcp://daskgmm-scheduler:8786"
    assert given["overwrite"] is True
    connect = driver.environment["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"]
    assert parse_timedelta(given["stall_timeout"]) > parse_timedelta(connect) > 30
    assert driver.environment["OMP_NUM_THREADS"] == str(driver.quantity("limits.cpu"))


@pytest.mark.parametrize("name", PREDICTIONS)
def test_predictions(name, pods_of):
    (driver,) = pods_of(name)["driver"]
    check_prediction(driver, "/data/" if name.endswith("pvc") else "s3://bucket/")


@pytest.mark.parametrize("components", [("cluster", "driver")])
def test_predictions_by_a_job(tmp_path, components):
    found = pods(composed(tmp_path, "pvc", "predict", *components))
    (driver,) = [pod for pod in found if pod.role == "driver"]
    check_prediction(driver, "/data/")


def check_prediction(driver, at):
    given = parsed(driver.command_line)
    assert (given["model"], given["data"]) == (f"{at}model.json", f"{at}rows.zarr")
    assert given["out"] == f"{at}labels.zarr"
    assert given["scheduler"] == "tcp://daskgmm-scheduler:8786"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("daskgmm fit a.zarr -k 2 --out m.json --chekpoint c", click.NoSuchOption),
        ("daskgmm fit a.zarr -k two --out m.json", click.BadParameter),
        ("daskgmm fit a.zarr -k 2", click.MissingParameter),
        ("daskgmm fit $(DATA) -k 2 --out m.json", AssertionError),
        ("dask worker --nthreads two", click.BadParameter),
        ("dask worker --memory-limits 2GiB", click.UsageError),
        ("dask schedule", ValueError),
        ("dask-worker --nthreads 2", AssertionError),
        ("dask-scheduler --host 0.0.0.0", AssertionError),
    ],
)
def test_wrong_lines_are_refused(line, error):
    with pytest.raises(error):
        parsed(line.split())
