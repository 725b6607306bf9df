"""Two speeds: what starts clusters, kills processes or runs servers is marked `slow`."""

import gc
import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent

SLOW = ("deploy", "stores")
"""Folders of which all tests are: Slurm, Kubernetes, network namespaces, containers, S3."""

LONG = (
    "test_site.py",
    "test_every_option.py",
    "test_memory_cap.py",
    "test_elastic.py",
    "test_predictions.py",
)
"""Files that take minutes: they begin first, so that none is left when all else has ended."""

# Before NumPy is imported, here and in processes of tests: threads of OpenMP and BLAS that have
# nothing to do sleep at once, and do not wait on a processor that another process could have.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

STATES = pytest.StashKey()
"""Of the generators of modules, as they were imported."""


def pytest_ignore_collect(collection_path, config):
    """Import none of the slow folders where only others are asked for, and the other way round."""
    if config.option.markexpr == "not slow":
        return True if collection_path.parent == HERE and collection_path.name in SLOW else None
    if config.option.markexpr == "slow" and collection_path.name.startswith("test_"):
        return None if may_be_slow(collection_path) else True
    return None


def may_be_slow(path):
    """Tell whether a file of tests may have slow ones: it, or what its folder sets up, says so."""
    said = (each for each in (path, path.with_name("conftest.py")) if each.exists())
    return is_slow(path) or any("slow" in each.read_text(encoding="utf-8") for each in said)


def is_slow(path):
    """Tell whether a file is in one of the slow folders."""
    return path.is_relative_to(HERE) and path.relative_to(HERE).parts[0] in SLOW


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Look for no garbage among ten thousand tests, while they are collected and later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    slow_files = {path for path in {item.path for item in items} if is_slow(path)}
    for item in items:
        if item.path in slow_files:
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    if silent := [str(path) for path in sorted(slow) if not may_be_slow(path)]:
        raise pytest.UsageError(f"Files of slow tests that do not say so: {', '.join(silent)}")
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session", autouse=True)
def forked_workers():
    """Start the processes of local clusters as `tests.clusters.forked` does."""
    from tests.clusters import forked

    with forked():
        yield


@pytest.fixture(autouse=True)
def as_imported(request):
    """Give the generators of a module the state of its import: no test draws what another left."""
    import numpy as np

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
        import dask

        with dask.config.set(num_workers=2):
            yield request.param
    else:
        from distributed import Client

        with Client(request.getfixturevalue("cluster")):
            yield request.param
