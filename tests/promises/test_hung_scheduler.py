"""Promise 4: silence is an error, also if the scheduler is there and does not answer."""

import asyncio
import threading
import time

import dask
import dask.array as da
import pytest
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture
from daskgmm.em.events import FitStarted
from daskgmm.errors import ClusterError

pytestmark = pytest.mark.slow

released = threading.Event()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_scheduler_that_does_not_answer_is_an_error():
    """Nothing ends meanwhile."""

    async def never(*arguments, **settings):
        while not released.is_set():
            await asyncio.sleep(0.05)
        return answer(*arguments, **settings)

    def listen(event):
        if isinstance(event, FitStarted):
            cluster.scheduler.handlers["identity"] = never

    def fit():
        try:
            GaussianMixture(2).fit(X, listen=listen)
        except ClusterError as error:
            raised.append(str(error))

    raised = []
    X = da.zeros((40, 2), chunks=(40, 2)).map_blocks(_slowly, dtype=float)
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster),
        dask.config.set({"daskgmm.stall-timeout": "1s"}),
    ):
        answer = cluster.scheduler.handlers["identity"]
        thread = threading.Thread(target=fit, daemon=True)
        thread.start()
        thread.join(30)
        in_time = not thread.is_alive()
        released.set()
    thread.join(10)  # its client is closed
    assert in_time
    assert "the scheduler does not answer" in raised[0]


def _slowly(block):
    time.sleep(12)
    return block
