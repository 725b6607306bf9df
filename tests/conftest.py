"""Two speeds: what starts clusters, kills processes or runs servers is marked `slow`."""

from multiprocessing.forkserver import set_forkserver_preload
from pathlib import Path

import dask
import numpy as np
import pytest

HERE = Path(__file__).parent

SLOW = ("deploy", "stores")
"""Folders of which all tests are: Slurm, Kubernetes, network namespaces, containers, S3."""

STATES = pytest.StashKey()
"""Of the generators of modules, as they were imported."""


def pytest_ignore_collect(collection_path, config):
    """Import none of the slow folders where only others are asked for."""
    slow = collection_path.parent == HERE and collection_path.name in SLOW
    return True if slow and config.option.markexpr == "not slow" else None


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE) and item.path.relative_to(HERE).parts[0] in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def forked_workers():
    """Start the processes of local clusters from one that has imported what they need.

    A worker is then there in 0.1 s, not after 3 s of a processor. What such workers take of
    memory, and their environment, is not what users have: `tests.clusters.spawned` is for that.
    """
    from distributed.utils import get_mp_context

    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context()  # sets modules of its own, once
        set_forkserver_preload(
            ["distributed.nanny", "dask.dataframe", "daskgmm.models.fitting.estimator"]
        )
        yield


@pytest.fixture(autouse=True)
def as_imported(request):
    """Give the generators of a module the state of its import: no test draws what another left."""
    for name, value in vars(request.module).items():
        if isinstance(value, np.random.Generator):
            state = request.session.stash.setdefault(STATES, {}).setdefault(
                (request.module.__name__, name), value.bit_generator.state
            )
            value.bit_generator.state = state


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
