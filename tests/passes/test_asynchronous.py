"""A client whose event loop is this thread's: refused where waiting is needed, used from threads.

Each call runs in an event loop that a watchdog ends: what would hang is an error.
"""

import asyncio

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import zarr
from distributed import Client

from daskgmm import GaussianMixture, sweep
from daskgmm.errors import ClusterError
from tests.promises.slow import bits

ROWS = np.random.default_rng(0).normal(loc=(0.0, 3.0), size=(2000, 2))
SETTINGS = {"n_components": 2, "max_iter": 3, "random_state": 0}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@pytest.fixture(scope="module")
def fitted():
    return GaussianMixture(**SETTINGS).fit(ROWS)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("asynchronous")
    zarr.create_array(path / "rows.zarr", data=ROWS, chunks=(250, 2))
    pd.DataFrame(ROWS, columns=["a", "b"]).to_parquet(path / "rows.parquet", row_group_size=250)
    return path


def calls(fitted, path, out):
    rows = str(path / "rows.zarr")
    shifted = da.from_zarr(rows) - da.from_zarr(rows).mean(0)
    return {
        "fit": lambda: GaussianMixture(**SETTINGS).fit(rows),
        "fit of a lazy array": lambda: GaussianMixture(**SETTINGS).fit(shifted),
        "sweep": lambda: sweep(rows, [1, 2], max_iter=3, random_state=0),
        "score": lambda: fitted.score(rows),
        "icl": lambda: fitted.icl(rows),
        "to Zarr": lambda: fitted.predict_to_zarr(rows, out / "out.zarr"),
        "rows to Zarr": lambda: fitted.sample_to_zarr(500, out / "rows.zarr"),
        "to Parquet": lambda: fitted.predict_to_parquet(
            str(path / "rows.parquet"), out / "out.parquet"
        ),
    }


def in_loop(body, **settings):
    """Run a coroutine function on an asynchronous client of threads of this process."""

    async def main():
        async with Client(
            processes=False,
            n_workers=1,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            asynchronous=True,
            **settings,
        ) as client:
            return await body(client)

    return asyncio.run(main())


def test_calls_that_wait_are_refused_in_the_loop_of_the_client(fitted, stored, tmp_path):
    async def body(client):
        for call in calls(fitted, stored, tmp_path).values():
            with pytest.raises(ClusterError, match=r"asyncio\.to_thread"):
                call()

    in_loop(body)
    assert not list(tmp_path.iterdir())


def test_the_same_calls_work_in_a_thread(fitted, stored, tmp_path):
    async def body(client):
        for call in calls(fitted, stored, tmp_path).values():
            await asyncio.wait_for(asyncio.to_thread(call), 100)
        mixture = GaussianMixture(**SETTINGS)
        return await asyncio.wait_for(asyncio.to_thread(mixture.fit, stored / "rows.zarr"), 100)

    found = in_loop(body)
    assert bits(found) == bits(GaussianMixture(**SETTINGS).fit(stored / "rows.zarr"))


def test_lazy_predictions_are_computed_by_the_client(fitted, stored):
    async def body(client):
        lazy = fitted.predict(da.from_zarr(stored / "rows.zarr"))
        return await client.compute(lazy)

    np.testing.assert_array_equal(in_loop(body), fitted.predict(ROWS))


def test_rows_in_memory_need_no_client(fitted):
    async def body(client):
        return GaussianMixture(**SETTINGS).fit(ROWS)

    assert bits(in_loop(body)) == bits(fitted)


def test_persisted_rows_of_a_client_that_is_not_current(fitted):
    """To fetch them waits for the loop as well."""

    async def body(client):
        rows = client.persist(da.from_array(ROWS, chunks=(250, 2)))
        with pytest.raises(ClusterError, match=r"asyncio\.to_thread"):
            fitted.score(rows)
        return await asyncio.wait_for(asyncio.to_thread(fitted.score, rows), 100)

    assert in_loop(body, set_as_default=False) == pytest.approx(fitted.score(ROWS), rel=1e-12)
