"""Fits that are shown while they run: in notebooks, on terminals, and nowhere else."""

import os
import re
import subprocess
import sys
import threading
import warnings
from types import ModuleType, SimpleNamespace

import dask
import numpy as np
import pytest

from daskgmm import BayesianGaussianMixture, GaussianMixture, GaussianMixtureClassifier, sweep
from daskgmm.em.events import Ended, Iterated, PassEnded, SweepIterated
from daskgmm.errors import SettingError
from daskgmm.live import showing
from daskgmm.live.watching import Watching
from daskgmm.progress import Forecast
from tests.waiting import LONGEST

X = np.random.default_rng(0).normal(size=(500, 2)) + 9.0 * (np.arange(500) % 2)[:, None]


class Cell:
    """Takes the place of IPython: what a cell has shown, and how often it was updated."""

    def __init__(self):
        self.shown, self.updates = [], 0
        self.fails = None

    def display(self, what, *, raw, display_id):
        assert raw
        assert display_id is True
        self._take(what)
        return self

    def update(self, what, *, raw):
        assert raw
        self.updates += 1
        self._take(what)

    def _take(self, what):
        if self.fails is not None:
            raise self.fails
        assert set(what) == {"text/plain", "text/html"}
        self.shown.append(what)


@pytest.fixture
def cell(monkeypatch):
    """A notebook whose cells show everything at once."""
    cell, fake = Cell(), ModuleType("IPython")
    fake.get_ipython = lambda: SimpleNamespace(kernel=object())
    fake.display = SimpleNamespace(display=cell.display)
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setattr(showing, "UPDATE_SECONDS", 0.0)
    monkeypatch.setattr(showing, "PATIENCE", 0.0)
    return cell


def test_a_fit_is_shown_in_one_place_of_its_cell(cell):
    mixture = GaussianMixture(2, random_state=0).fit(X)
    assert cell.updates == len(cell.shown) - 1 > 3
    lines = [each["text/plain"] for each in cell.shown]
    assert lines[0].startswith("GaussianMixture, 2 components:  survey")
    assert all("\n" not in line for line in lines)
    assert f"objective {mixture.lower_bound_:.5f}" in lines[-1]
    assert "converged after" in lines[-1]
    last = cell.shown[-1]["text/html"]
    assert f"{mixture.lower_bound_:.6f} nats per row after {mixture.n_iter_} iteration" in last
    assert "<script" not in last


def test_every_kind_of_fit_is_shown(cell):
    BayesianGaussianMixture(2, random_state=0, max_iter=300).fit(X)
    assert "variational bound" in cell.shown[-1]["text/plain"]
    GaussianMixture(2, random_state=0).fit_predict(X)
    y = np.arange(500) % 2
    for structures in ("shared", "own"):
        GaussianMixtureClassifier(structures=structures).fit(X, y)
        title = "GaussianMixtureClassifier, 2 classes:  "
        assert cell.shown[-1]["text/plain"].startswith(title)
    sweep(X, range(1, 3), random_state=0)
    assert cell.shown[-1]["text/plain"].startswith("Sweep of 2 candidates:  done after")


def test_a_sweep_shows_the_models_that_are_left_and_the_best_so_far():
    watching = Watching("sweep")
    watching(SweepIterated(1, 5, 5))
    assert "BIC" not in watching.line()
    for number, left in enumerate((5, 3, 0), start=2):
        watching(PassEnded("expectation", 1000, 8000, 0.5, 0, 0.125))
        watching(SweepIterated(number, 5, left, 8000.25 - number, 2 + number, "tied"))
        if left:
            found = f"lowest BIC {8000.25 - number:,.1f} ({2 + number} tied)"
            assert f"{left} models left  {found}" in watching.line()
    page = str(watching.html())
    assert "0 left after 4 passes" in page
    assert re.search(r"lowest BIC(<[^>]*>)+7,996\.2 \(6 tied\)", page)
    assert "2.00e+03 rows/s, 25% of the time waiting for rows" in page
    assert "lowest BIC, against passes" in page


def iterated(number, bound, change):
    return Iterated(
        iteration=number, lower_bound=bound, change=change, rows=10, seconds=2.0, nbytes=0,
        peak_memory=0,
    )  # fmt: skip


def test_the_time_left_is_that_of_the_forecast():
    watching, forecast = Watching("fit", Forecast(1e-3, 100)), Forecast(1e-3, 100)
    for number, change in enumerate((np.inf, 1.0, 0.5, 0.25), start=1):
        event = iterated(number, -1.0 - change, change)
        watching(event)
        left = forecast.add(event)
    assert left == "about 16 s left"
    assert left in watching.line()
    assert left in watching.html()
    watching(Ended(0, -1.0, False))
    assert "left" not in watching.line()
    watching(iterated(1, -7.0, np.inf))  # of another start
    assert "after 1 iteration<" in watching.html()


def test_updates_are_not_too_many(cell, monkeypatch):
    monkeypatch.setattr(showing, "UPDATE_SECONDS", 60.0)
    GaussianMixture(2, random_state=0).fit(X, progress=True)
    assert len(cell.shown) == 2  # at the begin and at the end


def test_short_fits_are_shown_only_if_asked_for(cell, monkeypatch):
    monkeypatch.setattr(showing, "PATIENCE", 60.0)
    GaussianMixture(2, random_state=0).fit(X)
    assert not cell.shown
    GaussianMixture(2, random_state=0).fit(X, progress=True)
    assert cell.shown


def test_a_late_display_knows_what_came_before(cell, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(showing, "PATIENCE", 10.0)
    monkeypatch.setattr(showing, "time", SimpleNamespace(monotonic=lambda: now[0]))
    clock = SimpleNamespace(perf_counter=lambda: now[0])
    monkeypatch.setattr("daskgmm.live.watching.time", clock)
    with showing.showing("auto", "fit") as display:
        display(iterated(1, -3.5, np.inf))
        assert not cell.shown
        now[0] = 11.0
        display(iterated(2, -3.25, 0.25))
        now[0] = 15.0
    assert "iteration 3" in cell.shown[1]["text/plain"]
    assert "nats per row after 2 iterations" in cell.shown[-1]["text/html"]
    assert "done after 15 s" in cell.shown[-1]["text/plain"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError], ids=["stopped", "failed"])
def test_the_end_is_told(cell, error):
    def listen(event):
        if isinstance(event, Iterated):
            raise error

    with pytest.raises(error):
        GaussianMixture(2, random_state=0).fit(X, listen=listen)
    word = "stopped" if error is KeyboardInterrupt else "failed"
    assert f"{word} after" in cell.shown[-1]["text/plain"]


def test_a_display_that_fails_costs_a_warning_and_no_fit(cell):
    cell.fails = RuntimeError("no comm")
    with pytest.warns(UserWarning, match=r"RuntimeError: no comm.*The fit continues") as caught:
        mixture = GaussianMixture(2, random_state=0).fit(X)
    assert [each.filename for each in caught] == [__file__]
    assert mixture.converged_


def test_one_switch_for_all_fits(cell):
    with dask.config.set({"daskgmm.progress": False}):
        GaussianMixture(2, random_state=0).fit(X)
        assert not cell.shown
        GaussianMixture(2, random_state=0).fit(X, progress=True)
        assert cell.shown
    cell.shown.clear()
    GaussianMixture(2, random_state=0).fit(X, progress=False)
    assert not cell.shown
    with (
        dask.config.set({"daskgmm.progress": "yes"}),
        pytest.raises(SettingError, match=r"daskgmm\.progress .* is 'yes'"),
    ):
        GaussianMixture().fit(X)
    with pytest.raises(SettingError, match="progress is 1"):
        sweep(X, progress=1)


def test_other_threads_show_nothing_of_their_own_accord(cell):
    """As of a search over settings, or a web server."""
    thread = threading.Thread(target=lambda: GaussianMixture(2, random_state=0).fit(X))
    thread.start()
    thread.join()
    assert not cell.shown


def test_scripts_show_nothing_unless_asked(capfd, monkeypatch):
    monkeypatch.setattr(showing, "PATIENCE", 0.0)
    GaussianMixture(2, random_state=0).fit(X)
    assert capfd.readouterr() == ("", "")
    GaussianMixture(2, random_state=0).fit(X, progress=True)
    out, err = capfd.readouterr()
    assert not out
    assert "iteration 1  objective" in err
    fake = ModuleType("IPython")  # imported by a library, in no session
    fake.get_ipython = lambda: None
    monkeypatch.setitem(sys.modules, "IPython", fake)
    GaussianMixture(2, random_state=0).fit(X)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_ipython_is_not_imported():
    code = (
        "import sys, numpy as np; from daskgmm import GaussianMixture\n"
        "m = GaussianMixture(1).fit(np.arange(9.0)[:, None], progress=True); m._repr_html_()\n"
        "assert 'IPython' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ), timeout=LONGEST)


def test_it_changes_no_bit(cell):
    shown = GaussianMixture(3, random_state=0).fit(X, progress=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = GaussianMixture(3, random_state=0).fit(X, progress=False)
    assert shown.means_.tobytes() == alone.means_.tobytes()
    assert shown.lower_bounds_ == alone.lower_bounds_
