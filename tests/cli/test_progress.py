"""What is shown while a fit runs."""

import io
import math
import re
from dataclasses import replace

import pytest
from rich.console import Console

from daskgmm import GaussianMixture
from daskgmm.em.events import BatchDone, Iterated, PassEnded
from daskgmm.em.settings import GAP_SHARE
from daskgmm.passes.plan import size
from daskgmm.progress import (
    Forecast,
    Shown,
    duration,
    iterations_left,
    make_bar,
    show,
    show_batches,
)
from tests.cli.data import clusters

LINE = re.compile(
    r"iteration \d+  objective -?\d+\.\d{5}  "
    r"(change (-|-?\d\.\de[+-]\d\d)|to gain \d\.\de[+-]\d\d)  "
    r"\d\.\de[+-]\d\d rows/s  \d+\.\d\d s(  (about|at most) \d+ (s|min)( left)|)"
)


def iterated(iteration, change, seconds=2.0):
    return Iterated(
        iteration=iteration, lower_bound=-4.0, change=change, rows=1000, seconds=seconds, nbytes=0,
        peak_memory=0,
    )  # fmt: skip


def test_a_geometric_decay_is_foreseen():
    """Changes 1, 1/2, 1/4, ... pass 1e-3 after the eleventh."""
    forecast = Forecast(1e-3, 100)
    assert forecast.add(iterated(1, math.inf)) == "at most 3 min left"
    assert forecast.add(iterated(2, 1.0)) == "at most 3 min left"
    assert forecast.add(iterated(3, 0.5)) == "about 18 s left"
    assert forecast.add(iterated(4, 0.25)) == "about 16 s left"
    assert forecast.add(iterated(12, 0.5**10)) == ""


def test_max_iter_bounds_the_forecast():
    forecast = Forecast(1e-9, 5)
    forecast.add(iterated(1, math.inf))
    forecast.add(iterated(2, 1.0))
    assert forecast.add(iterated(3, 0.9)) == "at most 4 s left"
    assert forecast.add(iterated(5, 0.8)) == ""


def test_a_new_start_forgets_the_old():
    forecast = Forecast(1e-3, 10)
    for i, change in enumerate((math.inf, 1.0, 0.5, 0.25), start=1):
        forecast.add(iterated(i, change))
    assert forecast.add(iterated(1, math.inf)) == "at most 18 s left"


def test_nothing_is_left_where_a_second_pass_predicts_little():
    """The first one of these may be a plateau, after which one more pass tells."""
    tolerance, forecast = GAP_SHARE * 1e-3, Forecast(tol=1e-3, max_iter=100)
    gaps = (8.0, 4.0, 2.0, 0.5, 0.4)
    told = [
        forecast.add(replace(iterated(1 + place, 1.0), gap=gap * tolerance))
        for place, gap in enumerate(gaps)
    ]
    assert told[2:] == ["about 2 s left", "about 2 s left", ""]


def test_the_last_line_of_a_fit_leaves_nothing(capsys):
    """Where it is kept until the fit ends, it has no forecast that was made before."""
    mixture = GaussianMixture(3, random_state=0, tol=1e-6)
    with show(Forecast(mixture.tol, mixture.max_iter)) as listen:
        mixture.fit(clusters(2000), listen=listen)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"iteration {mixture.n_iter_} ")
    assert "left" not in last


@pytest.mark.parametrize(
    ("changes", "tol", "left"),
    [
        ([], 1e-3, math.inf),
        ([1.0], 1e-3, math.inf),
        ([1.0, 2.0], 1e-3, math.inf),
        ([1.0, 0.0], 0.0, math.inf),
        ([1.0, 1.0], 1e-3, math.inf),
        ([0.5, 1e-4], 1e-3, 0),
        ([1.0, 0.1], 1e-3, 2),
    ],
)
def test_iterations_left(changes, tol, left):
    assert iterations_left(changes, tol) == left


def test_words():
    spoken = [duration(seconds) for seconds in (0.1, 12.4, 150, 7500)]
    assert spoken == ["1 s", "12 s", "2 min", "2 h 5 min"]


@pytest.mark.parametrize(
    ("nbytes", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999_000, "999 kB"),
        (999_600, "1 MB"),
        (1_180_000, "1.18 MB"),
        (23_410_000_000, "23.4 GB"),
        (2 * 10**15, "2 PB"),
        (3 * 10**18, "3,000 PB"),
    ],
)
def test_sizes_have_three_digits(nbytes, words):
    assert size(nbytes) == words


def test_plain_lines(capsys, monkeypatch):
    monkeypatch.setattr("daskgmm.progress.QUIET_SECONDS", -1.0)  # all of them
    mixture = GaussianMixture(3, random_state=0, tol=1e-6)
    with show(Forecast(mixture.tol, mixture.max_iter)) as listen:
        mixture.fit(clusters(2000), listen=listen)
    survey, start, beside, *lines = capsys.readouterr().err.splitlines()
    assert survey.startswith("survey  2,000 rows  48 kB")
    assert start.startswith("start  best of 5 on a sample of 2,000 rows")
    assert beside == "  EM begins at scikit-learn's start, which ends as high"
    assert len(lines) == mixture.n_iter_
    assert all(LINE.fullmatch(line) for line in lines)


@pytest.mark.parametrize(("prior", "name"), [(None, "objective"), ("conjugate", "log posterior")])
def test_lines_name_what_is_raised(prior, name, capsys):
    mixture = GaussianMixture(2, random_state=0, prior=prior, verbose=2, verbose_interval=1)
    with show(Forecast(1e-3, 100)) as listen:
        mixture.fit(clusters(500), listen=listen)
    printed, written = capsys.readouterr()
    assert f"  {name} {mixture.lower_bound_:.5f}" in written
    assert set(re.findall(r"log \w+|objective", written)) == {name}
    assert ("log posterior change" in printed) == (prior is not None)
    assert ("\t ll change" in printed) == (prior is None)


def test_starts_are_told_apart(capsys):
    with show(Forecast(1e-3, 100)) as listen:
        GaussianMixture(2, random_state=0, n_init=3).fit(clusters(500), listen=listen)
    lines = capsys.readouterr().err.splitlines()
    best, *others = [line for line in lines if line.startswith("start")]
    assert best.startswith("start  best of 5")
    assert others == ["start 2", "start 3"]


def test_terminal():
    """Lines above, and a bar with the time left below, gone at the end."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120, color_system=None)
    mixture = GaussianMixture(3, random_state=0, n_init=2)
    with make_bar(console) as bar:
        show = Shown(Forecast(mixture.tol, mixture.max_iter), bar)
        mixture.fit(clusters(5000), listen=show)
        assert bar.tasks[0].description == "start"
    shown = stream.getvalue()
    assert "survey  5,000 rows" in shown
    assert f"iteration {mixture.n_iter_}  objective {mixture.lower_bound_:.5f}" in shown
    assert "start 2" in shown


def drawn(text):
    """Return the states of the bar that were drawn: a title, and the batches done of all."""
    states = re.findall(r"(survey|sample|start|iteration \d+|labels)[^\n\r]*?(\d+)/(\d+|\?)", text)
    return [(title, f"{done}/{total}") for title, done, total in states]


@pytest.mark.parametrize("batches", [1, 2, 7])
def test_a_bar_moves_until_a_batch_is_done_and_is_full_at_the_end_of_each_pass(batches):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120, color_system=None)
    with make_bar(console) as bar:
        shown = Shown(Forecast(1e-3, 100), bar)
        for step in (PassEnded("survey", 9, 9, 1.0, 0), iterated(1, 1.0), iterated(2, 0.9)):
            assert bar.tasks[0].total is None  # so that it moves to and fro
            for done in range(1, batches + 1):
                shown(BatchDone(done, batches))
                assert (bar.tasks[0].completed, bar.tasks[0].total) == (done, batches)
            shown(step)
        assert bar.tasks[0].total is None
    states = drawn(stream.getvalue())
    for title in ("survey", "start", "iteration 2"):
        assert (title, f"{batches}/{batches}") in states


def test_a_bar_of_one_pass_is_full_at_its_end():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120, color_system=None)
    with make_bar(console) as bar:
        task = bar.add_task("labels", total=None, left="")
        show_batches(bar, task, 1, 2)
        show_batches(bar, task, 2, 2)
    assert ("labels", "2/2") in drawn(stream.getvalue())


def test_quiet(capsys):
    with show(quiet=True) as listen:
        assert listen is None
