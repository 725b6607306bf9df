"""Promises for every option: the same bits anywhere and after losses, memory within the plan."""

import time
from contextlib import nullcontext

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster

from daskgmm import GaussianMixture, plan
from daskgmm.em.events import BatchDone, PassEnded
from daskgmm.passes.batches import cut_batches, seconds_per_row
from daskgmm.rows.opening import as_rows
from tests.clusters import alive, kill, two_workers
from tests.promises.options import BESIDE, OPTIONS, WORKS, D, K, beside, made, rows, work
from tests.promises.peaks import peak, write
from tests.promises.slow import bits
from tests.promises.stopping import Stop, stop_after

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning"),
]

EVERY = pytest.mark.parametrize("option", OPTIONS)

N, CHUNK = 4000, 400

X = da.from_array(rows(N), chunks=(CHUNK, D))

ITERATIONS = 3


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Cut few rows into as many batches as a large data set."""
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-6)
    monkeypatch.setattr("daskgmm.models.inputs.costs.ROWS_OF_A_CELL", 4)


def found(option, through=None, **settings):
    """Return the bits of a fit, and of what it says of rows, which pass `through` a function."""
    own = beside(option)
    x = da.from_array(own.rows(rows(N)), chunks=(CHUNK, D)) if own.gaps else X
    x = x if through is None else x.map_blocks(through)
    given = own.given(N, D, CHUNK)
    mixture = made(option, max_iter=ITERATIONS, tol=0.0).fit(x, **given, **settings)
    known = {name: noise for name, noise in given.items() if name == "noise_variance"}
    outputs = [mixture.predict_proba(x, **known)]
    outputs += [mixture.outlier_proba(x)] if mixture._parameters().makes_room else []
    outputs += [mixture.impute(x), mixture.impute(x, random_state=1)] if own.gaps else []
    scored = mixture.score(x, **known) if known else None
    return bits(mixture) | {"outputs": tuple(map(bytes, dask.compute(*outputs))), "score": scored}


ALONE = {}
"""What each option finds on one thread, to compare all else with."""


def alone(option):
    if option not in ALONE:
        with dask.config.set(num_workers=1):
            ALONE[option] = found(option)
    return ALONE[option]


def test_the_rows_are_cut_into_many_batches():
    assert len(cut_batches(as_rows(X), seconds_per_row(K, D))) >= 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "threads"), [(option, 2 + 2 * (i % 2)) for i, option in enumerate(OPTIONS)]
)
def test_threads(option, threads):
    """Of each option two threads go on with what was interrupted, below."""
    with dask.config.set(num_workers=threads):
        assert found(option) == alone(option)


@pytest.mark.slow
@EVERY
def test_what_was_interrupted_goes_on_to_the_same_bits(option, tmp_path):
    with pytest.raises(Stop):
        found(option, checkpoint=tmp_path / "c", listen=stop_after(1))
    passes = []

    def count(event):
        if isinstance(event, PassEnded):
            passes.append(event.name)

    with dask.config.set(num_workers=2):
        again = found(option, checkpoint=tmp_path / "c", listen=count)
    assert again == alone(option)
    # One more where an M-step is made again about its own means.
    assert set(passes) == {"expectation"}
    assert len(passes) in (ITERATIONS - 1, ITERATIONS)


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "options"), [(1, WORKS[::2]), (8, WORKS[1::2])])
def test_clusters(workers, options):
    """On two workers each work is where one is killed, below."""
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=False,
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        Client(cluster),
    ):
        there = {option: found(option) for option in options}
    for option in options:
        assert there[option] == alone(option), option


class KillAtOnce:
    """Listener that kills a worker once, in the middle of the second E-step."""

    def __init__(self, cluster):
        self.cluster, self.passes, self.killed = cluster, 0, 0

    def __call__(self, event):
        if isinstance(event, PassEnded):
            self.passes += 1
        elif isinstance(event, BatchDone) and self.passes == 2 and not self.killed:
            kill(alive(self.cluster)[0])
            self.killed += 1


def _slowly(block):
    time.sleep(0.02)
    return block


@pytest.fixture(scope="module")
def cluster():
    with two_workers() as cluster, Client(cluster):
        yield cluster


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("option", WORKS)
def test_a_killed_worker(option, cluster):
    """M-steps are not on workers: what these compute is the same for options of one work."""
    strike = KillAtOnce(cluster)
    assert found(option, _slowly, listen=strike) == alone(option)
    assert strike.killed == 1


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return write(tmp_path_factory.mktemp("peaks") / "x.zarr", 25_000, 64, 2 << 20)


@EVERY
def test_the_plan_of_a_structure_is_that_of_its_statistic(option):
    """So that the memory of one of them is measured. Parameters differ by kilobytes."""
    same = next(each for each in WORKS if work(each) == work(option))
    known = GaussianMixture().get_params().keys()
    planned, expected = (
        plan(X, 16, **{name: given[name] for name in given.keys() & known}).worker_nbytes
        for _, given in (OPTIONS[option], OPTIONS[same])
    )
    assert planned == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("option", [option for option in WORKS if option not in BESIDE])
def test_a_worker_takes_no_more_than_the_plan_says(option, stored):
    kind, settings = OPTIONS[option]
    taken, planned = peak(stored, 16, kind, started=nullcontext, **settings)
    assert planned / 4 < taken <= planned


@pytest.mark.slow
@pytest.mark.parametrize("option", [option for option in WORKS if option in BESIDE])
def test_so_it_is_with_what_goes_beside_rows(option, tmp_path):
    """Of fewer features: rows that each have noise take thousands of operations."""
    n, d, (own, settings) = 10_000, 16, BESIDE[option]
    x = own.rows(np.random.default_rng(0).normal(size=(n, d)).astype(np.float32))
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(1000, d))
    given = own.given(n, d, 1000)
    taken, planned = peak(
        str(tmp_path / "x.zarr"), 16, OPTIONS[option][0], given, started=nullcontext, **settings
    )
    assert planned / 5 < taken <= planned
