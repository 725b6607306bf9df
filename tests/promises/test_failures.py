"""What goes wrong around a fit: stores, data, clusters, impatience; all of it for real."""

import os
import signal
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture
from daskgmm.em.events import BatchDone, Iterated
from daskgmm.errors import ClusterError, DataError, SourceError
from daskgmm.passes.executors.watchdog import Watchdog
from daskgmm.rows import retries
from daskgmm.rows.labelled.opening import data_array
from daskgmm.rows.opening import as_rows
from tests.clusters import two_workers
from tests.promises.slow import SETTINGS, bits, slowed
from tests.promises.stores import FailsTwice, NeverWorks, Unsendable
from tests.waiting import LONGEST

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster():
    with two_workers() as cluster:
        with Client(cluster) as client:
            client.run(read_again_soon)
        yield cluster


@pytest.fixture(autouse=True)
def _read_again_soon(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.01)


def read_again_soon():
    """Have a worker wait as shortly as this process does."""
    retries.FIRST_WAIT = 0.01


def until(condition, seconds=LONGEST):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def quiet_for(folder, seconds):
    """Tell whether nothing was written to a folder for so long."""
    return time.time() - max(path.stat().st_mtime for path in folder.iterdir()) > seconds


def copied(stored, tmp_path, kind):
    """Return the stored rows in a store of another kind, in 6 chunks."""
    rows = zarr.open_array(stored, mode="r")[:60_000]
    zarr.create_array(tmp_path / "x.zarr", data=rows, chunks=(10_000, 4), compressors=None)
    return zarr.open_array(kind(tmp_path / "x.zarr"), mode="r")


def test_reads_that_fail_twice_and_then_work(place, stored, tmp_path):
    array = copied(stored, tmp_path, FailsTwice)
    settings = {"n_components": 2, "random_state": 0, "max_iter": 2, "tol": 0.0}
    mixture = GaussianMixture(**settings).fit(array)
    assert mixture.n_iter_ == 2
    reads = list((tmp_path / "x.zarr.reads").iterdir())
    assert len(reads) == 4 * 3 * 6  # passes x tries x chunks
    assert bits(mixture) == bits(GaussianMixture(**settings).fit(tmp_path / "x.zarr"))


def test_lazy_arrays_are_read_again_too(place, stored, tmp_path):
    array = da.from_zarr(copied(stored, tmp_path, FailsTwice)) * 2.0
    assert GaussianMixture(2, max_iter=1, random_state=0).fit(array).n_iter_ == 1


def test_what_chunks_share_is_read_again_too(place, stored, tmp_path):
    array = da.from_zarr(copied(stored, tmp_path, FailsTwice))
    settings = {"n_components": 1, "random_state": 0}
    mixture = GaussianMixture(**settings).fit(array - array.mean(0))
    np.testing.assert_allclose(mixture.means_, 0.0, atol=1e-9)


@pytest.mark.parametrize("kind", ["path", "labelled"])
def test_lazy_predictions_read_again_too(place, stored, tmp_path, kind):
    array = copied(stored, tmp_path, FailsTwice)
    mixture = GaussianMixture(1).fit(array)
    x = array if kind == "path" else data_array(array).rename(dim_1="feature")
    if kind == "labelled":
        mixture.feature_dims_ = ("feature",)
    for predicted in (mixture.predict(x), mixture.predict_proba(x), mixture.score_samples(x)):
        assert np.isfinite(np.asarray(predicted)).all()


@pytest.mark.parametrize("retries", [0, 2])
def test_lazy_predictions_of_what_never_works(stored, tmp_path, retries):
    array = copied(stored, tmp_path, NeverWorks)
    mixture = GaussianMixture(1).fit(np.eye(4).repeat(5, 0))
    with dask.config.set({"daskgmm.retries": retries, "scheduler": "sync"}):
        lazy, rows = mixture.predict(array), as_rows(data_array(array).data)
    said = r"The values \[\d+:\d+, 0:4\] of .*x\.zarr cannot be read: .*server is on fire"
    with pytest.raises(SourceError, match=said):
        lazy[:10].compute(scheduler="sync")
    assert len(list((tmp_path / "x.zarr.reads").glob("c.0.0@*"))) == 1 + retries
    # What tried so often inside is not tried so often again by what is around it.
    with pytest.raises(SourceError, match=said):
        list(rows.segment(0, 1).stream(retries=retries))
    assert len(list((tmp_path / "x.zarr.reads").glob("c.0.0@*"))) == 2 * (1 + retries)


@pytest.mark.parametrize("retries", [0, 2])
def test_reads_that_never_work(place, stored, tmp_path, retries):
    array = copied(stored, tmp_path, NeverWorks)
    with (
        dask.config.set({"daskgmm.retries": retries}),
        pytest.raises(SourceError, match=r"Rows 0 to .*the server is on fire"),
    ):
        GaussianMixture(2).fit(array)
    reads = [path.name.split("@")[0] for path in (tmp_path / "x.zarr.reads").iterdir()]
    # Chunk 0 so often and no more; the batch beside it perhaps once less.
    assert reads.count(min(reads)) == 1 + retries


@pytest.mark.parametrize("what", ["rows", "weights", "a lazy array"])
def test_rows_that_cannot_travel_are_refused_before_the_first_pass(
    cluster, stored, tmp_path, what, caplog
):
    x, events = zarr.open_array(stored, mode="r")[:1000], []
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(100, 4))
    zarr.create_array(tmp_path / "w.zarr", data=np.arange(1000.0), chunks=(100,))
    rows, weights = zarr.open_array(Unsendable(tmp_path / "x.zarr"), mode="r"), None
    if what == "weights":
        rows = zarr.open_array(tmp_path / "x.zarr", mode="r")
        weights = zarr.open_array(Unsendable(tmp_path / "w.zarr"), mode="r")
    elif what == "a lazy array":
        rows = da.from_array(rows, chunks=rows.chunks, name=False) + 1.0
    with (
        Client(cluster),
        pytest.raises(SourceError, match=r"(?s)writable.*repo\.readonly_session.*session\.fork"),
    ):
        GaussianMixture(1).fit(rows, sample_weight=weights, listen=events.append)
    assert not [event for event in events if isinstance(event, BatchDone)]
    assert GaussianMixture(1).fit(rows, sample_weight=weights).n_iter_ == 2


def _spoil(block, folder, block_info=None):
    """Note which block this is; make the first one bad, and the others slow."""
    number = block_info[0]["chunk-location"][0]
    (Path(folder) / f"{number}-{time.time_ns()}").touch()
    if number == 0:
        block = block.copy()
        block[17, 2] = np.nan
    else:
        time.sleep(0.2)
    return block


def test_a_data_error_ends_the_pass_at_once_and_is_not_retried(place, stored, tmp_path):
    X = da.from_zarr(stored, chunks=(5000, 4)).map_blocks(_spoil, str(tmp_path), dtype=float)
    with pytest.raises(DataError, match=r"NaN in row 17 .batch 0., column 2"):
        GaussianMixture(2).fit(X)
    then = len(list(tmp_path.iterdir()))
    until(lambda: quiet_for(tmp_path, 0.5))
    numbers = [path.name.split("-")[0] for path in tmp_path.iterdir()]
    assert numbers.count("0") == 1
    # Of 6 batches of 10 blocks: threads stop at the next block; a worker ends its batch.
    assert then < 60
    assert len(numbers) - then <= (0 if place == "threads" else 20)
    assert GaussianMixture(2, max_iter=1, random_state=0).fit(stored).n_iter_ == 1


@pytest.fixture
def looks(monkeypatch):
    """An event for each look at a silent cluster, whose answer may take its time."""
    seen, begun, look = Event(), Watchdog.__init__, Watchdog.check

    def patient(self, *given):
        begun(self, *given)
        self._longest, self.interval = 600.0, min(self.interval, 0.5)  # on a busy machine

    def check(self):
        seen.set()
        look(self)

    monkeypatch.setattr(Watchdog, "__init__", patient)
    monkeypatch.setattr(Watchdog, "check", check)
    return seen


@contextmanager
def one_worker(**settings):
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster),
        dask.config.set(settings),
    ):
        yield cluster


def test_all_workers_gone_is_an_error_after_a_while(stored, looks):
    def listen(event):
        if isinstance(event, Iterated) and event.iteration == 2:
            cluster.scale(0)
            until(lambda: not cluster.scheduler.workers, 600)
            gone.append(time.monotonic())

    gone = []
    with one_worker(**{"daskgmm.stall-timeout": "1.5s"}) as cluster:
        with pytest.raises(ClusterError, match=r"Nothing was computed for 2 s.*no workers"):
            GaussianMixture(**SETTINGS).fit(slowed(stored), listen=listen)
        assert time.monotonic() - gone[0] >= 1.5
    assert looks.is_set()


def test_workers_that_come_in_time_are_waited_for(stored, quiet, looks):
    def listen(event):
        if isinstance(event, Iterated) and event.iteration == 2:
            cluster.scale(0)
            until(lambda: not cluster.scheduler.workers, 600)
            looks.clear()
            comes.start()

    def come():
        looks.wait()
        cluster.scale(2)

    comes = Thread(target=come, daemon=True)
    with one_worker(**{"daskgmm.stall-timeout": "600s"}) as cluster:
        mixture = GaussianMixture(**SETTINGS).fit(slowed(stored, 0.0), listen=listen)
        comes.join()
    assert bits(mixture) == quiet


def test_a_scheduler_that_dies_is_an_error(stored, tmp_path):
    script = tmp_path / "scheduler.json"
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"),
            *("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(script)),
        ],
        stderr=subprocess.DEVNULL,
    ) as scheduler:
        until(script.exists)
        with Client(scheduler_file=str(script), timeout=LONGEST) as client:
            from distributed import Worker

            async def start():
                return await Worker(client.scheduler.address, nthreads=1)

            worker = client.sync(start)

            def listen(event):
                if isinstance(event, Iterated) and event.iteration == 2:
                    scheduler.kill()
                    scheduler.wait()

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with pytest.raises(ClusterError, match=r"scheduler is lost|is cancelled|was lost"):
                    GaussianMixture(**SETTINGS).fit(slowed(stored), listen=listen)
            client.sync(worker.close)


def _die(block):
    os._exit(1)


def test_a_batch_that_ends_its_workers_is_an_error_with_advice(stored):
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
        Client(cluster),
        pytest.raises(ClusterError, match=r"2 workers died .*daskgmm_survey.*daskgmm plan"),
    ):
        GaussianMixture(2).fit(da.from_zarr(stored).map_blocks(_die, meta=np.empty((0, 0))))


def command(*arguments):
    return [sys.executable, "-m", "daskgmm.cli", *map(str, arguments)]


@pytest.fixture(scope="module")
def slow_store(tmp_path_factory):
    """A store whose every chunk is decompressed for a while."""
    path = tmp_path_factory.mktemp("slow") / "slow.zarr"
    rows = np.random.default_rng(0).normal(size=(300_000, 8))
    zarr.create_array(path, data=rows, chunks=(2000, 8))
    return path


@pytest.mark.parametrize("where", ["threads", "cluster"])
def test_control_c(cluster, slow_store, tmp_path, where):
    """What was submitted is let go, nothing is written, and the cluster works on."""
    address = ["--scheduler", cluster.scheduler_address] if where == "cluster" else []
    fit = command(*("fit", slow_store, "-k", 4, "--tol", 0, "--out", tmp_path / "m.json"), *address)
    with subprocess.Popen(fit, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        while "iteration 1 " not in process.stderr.readline():
            assert process.poll() is None
        if where == "cluster":
            until(lambda: cluster.scheduler.tasks)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(LONGEST) == 130
    assert "Interrupted" in said
    assert "Traceback" not in said
    assert not (tmp_path / "m.json").exists()
    if where == "cluster":
        until(lambda: not cluster.scheduler.tasks)
        with Client(cluster):
            assert GaussianMixture(2, max_iter=1).fit(slow_store).n_iter_ == 1


def test_control_c_in_a_session_that_goes_on(cluster, stored):
    """In a notebook the client outlives the interrupt."""
    with Client(cluster) as client:

        def listen(event):
            if isinstance(event, BatchDone) and event.done == 2:
                os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            GaussianMixture(**SETTINGS).fit(slowed(stored, 0.05), listen=listen)
        until(lambda: not cluster.scheduler.tasks)
        assert client.submit(sum, [1, 2]).result() == 3


def test_a_killed_driver_leaves_a_usable_cluster(cluster, slow_store, tmp_path):
    fit = command(
        *("fit", slow_store, "-k", 4, "--tol", 0, "--out", tmp_path / "m.json"),
        *("--scheduler", cluster.scheduler_address),
    )
    with subprocess.Popen(fit, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        while "iteration 1 " not in process.stderr.readline():
            assert process.poll() is None
        process.kill()
    until(lambda: not cluster.scheduler.tasks)
