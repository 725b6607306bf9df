"""A batch that is lost, or counted twice, is an error and never a number."""

import dask.array as da
import numpy as np
import pytest

from daskgmm import GaussianMixture
from daskgmm.errors import ClusterError
from daskgmm.passes.batches import cut_batches
from daskgmm.passes.executors.threads import Threads
from daskgmm.rows.opening import as_rows

X = da.from_array(np.random.default_rng(0).normal(size=(800, 2)), chunks=(100, 2))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)


FAULTS = {
    "lost": lambda found: [*found[:2], *found[3:]],
    "lost at the end": lambda found: found[:-1],
    "twice": lambda found: [*found, found[0]],
    "one for another": lambda found: [*found[:2], found[1], *found[3:]],
    "other order": lambda found: [found[1], found[0], *found[2:]],
    "none": lambda found: [],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_stream_of_other_batches_ends_the_prediction(fault, monkeypatch):
    mixture = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [1.0])
    expected, stream = mixture.score(X), Threads.stream

    def faulty(self, tasks, work, name):
        yield from FAULTS[fault](list(stream(self, tasks, work, name)))

    monkeypatch.setattr(Threads, "stream", faulty)
    with pytest.raises(ClusterError, match="has results of other batches"):
        mixture.score(X)
    monkeypatch.undo()
    assert mixture.score(X) == expected


@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in ("other order", "none")])
def test_sums_of_other_batches_end_the_fit(fault, monkeypatch):
    """A batch in place of another of the same size leaves the number of rows as it was."""
    stream = Threads.stream

    def faulty(self, tasks, work, name):
        found = list(stream(self, tasks, work, name))
        yield from FAULTS[fault](found) if len(found) > 3 else found

    monkeypatch.setattr(Threads, "stream", faulty)
    with pytest.raises(ClusterError, match="one is missing, or was taken twice"):
        GaussianMixture(2, random_state=0).fit(X)


def test_marks_tell_batches_apart():
    batches = cut_batches(as_rows(X), 1.0)
    assert len(batches) == 8
    assert len({batch.mark for batch in batches}) == 8
    assert [batch.mark for batch in cut_batches(as_rows(X), 1.0)] == [x.mark for x in batches]
