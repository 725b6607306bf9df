"""Promise 4: workers without daskgmm, or with another one, are named, and live on."""

import importlib
import signal

import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster

import daskgmm
from daskgmm import GaussianMixture, sweep
from daskgmm.em.events import PassEnded
from daskgmm.errors import ClusterError
from daskgmm.passes.executors.worker_check import check_workers
from tests.promises.environments import LACKING, OLDER, OTHER_CPU, process, worker
from tests.promises.slow import SETTINGS, bits, slowed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@pytest.fixture
def client():
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "rows.zarr"
    rows = np.random.default_rng(0).normal(size=(2000, 2))
    zarr.create_array(path, data=rows, chunks=(250, 2))
    return str(path)


def test_every_call_names_workers_without_daskgmm(client, small, tmp_path):
    import pandas as pd

    mixture = GaussianMixture(2, random_state=0).fit(np.random.default_rng(0).normal(size=(99, 2)))
    pd.DataFrame(zarr.open(small)[:], columns=["a", "b"]).to_parquet(tmp_path / "rows.parquet")
    lazy = da.from_zarr(small)
    calls = {
        "fit": lambda: GaussianMixture(2).fit(small),
        "fit of shared results": lambda: GaussianMixture(2).fit(lazy - lazy.mean(0)),
        "sweep": lambda: sweep(small, [1, 2]),
        "score": lambda: mixture.score(small),
        "to Zarr": lambda: mixture.predict_to_zarr(small, tmp_path / "out.zarr"),
        "to Parquet": lambda: mixture.predict_to_parquet(
            str(tmp_path / "rows.parquet"), tmp_path / "out"
        ),
        "lazily": lambda: mixture.predict(lazy),
        "stored": lambda: mixture.predict_proba(small),
    }
    with worker(client, LACKING) as blind:
        for call in calls.values():
            with pytest.raises(
                ClusterError, match=r"1 of 1 workers .* cannot import daskgmm.*Inst"
            ):
                call()
        assert blind.poll() is None
        with worker(client), pytest.raises(ClusterError, match="1 of 2 workers"):
            GaussianMixture(2).fit(small)
        assert client.submit(sum, [1, 2]).result() == 3


def test_a_worker_that_joins_a_fit_without_daskgmm(client, stored):
    """It fails its first task; nothing that runs there ends."""
    blind = []

    def listen(event):
        if isinstance(event, PassEnded) and not blind:
            context = worker(client, LACKING)
            blind.append((context, context.__enter__()))

    with worker(client):
        try:
            with pytest.raises(ClusterError, match=r"1 of 2 workers .*No module named 'daskgmm'"):
                GaussianMixture(**SETTINGS).fit(slowed(stored, 0.05), listen=listen)
            assert blind[0][1].poll() is None
        finally:
            blind[0][0].__exit__(None, None, None)


def test_another_version_of_daskgmm(client, small, stored):
    message = f"has daskgmm 0.0.1, and this process {daskgmm.__version__}"
    older = []

    def listen(event):
        if isinstance(event, PassEnded) and not older:
            context = worker(client, OLDER)
            older.append(context)
            context.__enter__()

    with worker(client):
        try:
            with pytest.raises(ClusterError, match=message):
                GaussianMixture(**SETTINGS).fit(slowed(stored, 0.05), listen=listen)
            with pytest.raises(ClusterError, match=message):
                GaussianMixture(2).fit(small)
        finally:
            older[0].__exit__(None, None, None)


def test_another_cpu_is_told_once(client, small):
    with worker(client), worker(client, OTHER_CPU):
        with pytest.warns(UserWarning, match=r"other versions or CPUs .* BLAS's instructions"):
            GaussianMixture(2, random_state=0).fit(small)
        GaussianMixture(2, random_state=0).fit(small)


def test_a_module_that_only_the_rows_need(client, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def double(block):\n    return 2 * block\n")
    monkeypatch.syspath_prepend(tmp_path)
    double = importlib.import_module("only_here").double
    lazy = da.random.default_rng(0).normal(size=(2000, 2), chunks=(250, 2)).map_blocks(double)
    with worker(client) as other:
        for rows in (lazy, lazy - lazy.mean(0)):
            with pytest.raises(ClusterError, match=r"1 of 1 workers lack only_here.*Install it"):
                GaussianMixture(2).fit(rows)
        assert other.poll() is None


def test_a_worker_that_hangs_is_not_waited_for(client):
    with worker(client) as hung, worker(client, LACKING):
        hung.send_signal(signal.SIGSTOP)
        with pytest.raises(ClusterError, match="1 of 2 workers"):
            check_workers(client, patience=2.0)
        hung.send_signal(signal.SIGCONT)


def test_a_scheduler_without_daskgmm(small, tmp_path):
    file = tmp_path / "scheduler.json"
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]
    options += ["--scheduler-file", str(file)]
    with (
        process("distributed.cli.dask_scheduler", *options, changed=LACKING),
        Client(scheduler_file=str(file)) as client,
        worker(client),
    ):
        lazy = da.from_zarr(small)
        settings = {"n_components": 2, "max_iter": 3, "random_state": 0}
        found = GaussianMixture(**settings).fit(lazy - lazy.mean(0))
    assert bits(found) == bits(GaussianMixture(**settings).fit(lazy - lazy.mean(0)))
