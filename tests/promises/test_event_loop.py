"""Fits under a running event loop, as in notebooks: on threads and on a cluster."""

import asyncio

import dask.array as da
import numpy as np
import pytest

from daskgmm import GaussianMixture, sweep
from tests.clusters import two_workers

X = np.random.default_rng(0).normal(size=(4000, 2)) + 9.0 * (np.arange(4000) % 2)[:, None]
ROWS = da.from_array(X, chunks=(500, 2))


def fitted():
    mixture = GaussianMixture(2, random_state=0).fit(ROWS)
    found = sweep(ROWS, [2], n_init=1, random_state=0)
    return mixture.means_.tobytes(), found.table["bic"], mixture.score(ROWS)


def test_on_threads():
    async def cell():
        return fitted()

    assert asyncio.run(cell()) == fitted()


@pytest.mark.slow
def test_on_a_cluster():
    """With a client that is not asynchronous, as people have it: its loop is in another thread."""
    from distributed import Client

    async def cell():
        with two_workers() as cluster, Client(cluster):
            found = fitted()
            # What the dashboard shows: a name and a colour for each kind of pass.
            named = {"daskgmm_survey", "daskgmm_iteration", "daskgmm_measure"}
            assert named <= set(cluster.scheduler.task_prefixes)
            return found

    assert asyncio.run(cell()) == fitted()
