"""A clock that is set back while a fit or a prediction runs changes neither bits nor durations."""

import itertools

import dask.array as da
import numpy as np

from daskgmm import GaussianMixture
from daskgmm.em.events import FitEnded, Iterated, PassEnded, together

X = np.random.default_rng(0).normal(size=(400, 2)) + 5.0 * (np.arange(400) % 2)[:, None]


def set_back(monkeypatch):
    """Each look at the time of day is an hour before the last one."""
    hours = itertools.count()
    monkeypatch.setattr("time.time", lambda: 2e9 - 3600.0 * next(hours))


def fitted(path, events):
    rows = da.from_array(X, chunks=(50, 2))
    mixture = GaussianMixture(2, random_state=0, tol=1e-9)
    return mixture.fit(rows, checkpoint=path, listen=together(events.append))


def test_a_fit(tmp_path, monkeypatch):
    whole = fitted(tmp_path / "whole", [])
    set_back(monkeypatch)
    events = []
    found = fitted(tmp_path / "c.json", events)
    assert found.means_.tobytes() == whole.means_.tobytes()
    timed = [event for event in events if isinstance(event, Iterated | PassEnded | FitEnded)]
    assert {type(event) for event in timed} == {Iterated, PassEnded, FitEnded}
    assert min(event.seconds for event in timed) >= 0
    assert max(event.seconds for event in timed) < 3600  # no hour that passed on no clock
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_predictions_that_go_on(tmp_path, monkeypatch):
    mixture = GaussianMixture(2, random_state=0).fit(X)
    set_back(monkeypatch)
    done = []
    out = tmp_path / "p.zarr"
    written = mixture.predict_to_zarr(
        da.from_array(X, chunks=(50, 2)), out, chunks=50, progress=lambda *at: done.append(at)
    )
    assert written.rows == len(X)
    assert done == sorted(done)
    assert [path.name for path in tmp_path.iterdir()] == ["p.zarr"]


def test_retries_are_bounded(monkeypatch, impatient):
    """They count attempts, and no time."""
    from daskgmm.rows.retries import RETRIES, retried

    set_back(monkeypatch)
    tried = []

    def read():
        tried.append(1)
        if len(tried) <= RETRIES:
            raise OSError("503 SlowDown")
        return "rows"

    assert retried(read, RETRIES) == "rows"
    assert len(tried) == RETRIES + 1
