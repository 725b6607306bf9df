"""The largest memory of a worker in a fit, and what the plan said."""

import numpy as np
import zarr
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture, plan
from daskgmm.passes.memory import peak_memory
from tests.clusters import spawned


def write(path, n, d, chunk_nbytes):
    """Write n rows of two clusters in chunks of so many bytes; return the path."""
    drawn = min(n, 200_000)
    part = np.random.default_rng(0).normal(size=(drawn, d)).round(2).astype(np.float32)
    part[::2] += 2.0  # of rows without clusters all starts are alike, and their race is long
    chunks = (max(1, chunk_nbytes // (4 * d)), d)
    array = zarr.create_array(path, shape=(n, d), chunks=chunks, dtype="f4")
    step = chunks[0] * max(1, drawn // chunks[0])
    for first in range(0, n, step):
        rows = min(step, n - first)
        array[first : first + rows] = np.resize(part, (rows, d))
    return str(path)


def peak(path, k, kind=GaussianMixture, given=None, *, started=spawned, **settings):
    """Fit on a fresh worker of two threads; return its peak, and what the plan said.

    `given` are arguments of the fit beside the rows; `started` is how processes start.
    """
    given = given or {}
    planned_for = {
        name: settings[name] for name in settings.keys() & GaussianMixture().get_params()
    }
    with (
        started(),
        LocalCluster(
            n_workers=1,
            threads_per_worker=2,
            memory_limit="8GiB",
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        planned = plan(path, k, **planned_for, **given).worker_nbytes
        settings = {"init_params": "k-means++", **settings}
        settings |= {"max_iter": 2, "tol": 0.0, "random_state": 0}
        kind(k, **settings).fit(path, **given)
        (found,) = client.run(peak_memory).values()
    return found, planned
