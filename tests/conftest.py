"""Two speeds: what starts clusters, kills processes or runs servers is marked `slow`."""

from pathlib import Path

import dask
import pytest

HERE = Path(__file__).parent

SLOW = ("deploy", "stores")
"""Folders of which all tests are: Slurm, Kubernetes, network namespaces, containers, S3."""


def pytest_ignore_collect(collection_path, config):
    """Import none of the slow folders where only others are asked for."""
    slow = collection_path.parent == HERE and collection_path.name in SLOW
    return True if slow and config.option.markexpr == "not slow" else None


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE) and item.path.relative_to(HERE).parts[0] in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def impatient(monkeypatch):
    """Reads that fail are tried again at once, as often as ever."""
    monkeypatch.setattr("daskgmm.rows.retries.FIRST_WAIT", 0.0)


@pytest.fixture(params=["threads", "cluster"])
def place(request):
    """Two threads of this process, or the client of the `cluster` of the file or folder."""
    if request.param == "threads":
        with dask.config.set(num_workers=2):
            yield request.param
    else:
        from distributed import Client

        with Client(request.getfixturevalue("cluster")):
            yield request.param
