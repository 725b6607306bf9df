"""Lines end between words on a terminal, and stay whole in files and for other programs."""

import os
from types import SimpleNamespace

import pytest

from daskgmm.cli.reporting import fitted_to, not_converged

LONG = (
    "fit of /data/a-very-long-folder/of-many-parts/that-stays/whole-in-one-line-of-its-own/m.json "
    "ended after many iterations, and there is more to say of it than eighty characters hold."
)


@pytest.fixture(autouse=True)
def eighty(monkeypatch):
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))


def test_words_and_paths_stay_whole():
    lines = fitted_to(LONG, True).splitlines()
    assert [line.strip() for line in lines] == [
        "fit of",
        "/data/a-very-long-folder/of-many-parts/that-stays/whole-in-one-line-of-its-own/m.json",
        "ended after many iterations, and there is more to say of it than eighty",
        "characters hold.",
    ]
    assert all(line.startswith("  ") for line in lines[1:])


def test_there_is_room_for_what_stands_before():
    text = "word " * 15 + "wo rd"
    assert fitted_to(text, True) == text
    first, second = fitted_to(text, True, before=len("Error: ")).splitlines()
    assert len("Error: ") + len(first) <= 80
    assert second == "  word wo rd"


def test_tables_and_files_are_left_as_they_are():
    table = "   k  covariance\n   1  full"
    assert fitted_to(table, True) == table
    assert fitted_to(LONG, False) == LONG


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("fit", "rows.zarr", "-k", 2, "--covariance", "ful", "-o", "n.json"), "'mcfa'"),
        (("fit", "rows.zarr", "-k", 2, "--columns", "a", "-o", "n.json"), "--variables."),
        (("predict", "rows.npy", "rows.npy", "-o", "l.zarr"), "save_model wrote."),
    ],
)
def test_messages_of_commands(folder, call, monkeypatch, command, told):
    whole = call(*command).stderr
    assert max(map(len, whole.splitlines())) > 80
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    narrow = call(*command)
    assert max(map(len, narrow.stderr.splitlines())) <= 80
    assert told in narrow.stderr
    assert " ".join(narrow.stderr.split()) == " ".join(whole.split())
    assert narrow.exit_code == call(*command).exit_code


def test_a_fit_that_has_nearly_converged_is_not_said_to_have_missed_its_tolerance():
    mixture = SimpleNamespace(n_iter_=2, max_iter=2, tol=1e-3, gap_estimate_=2.5e-6)
    told = not_converged(mixture, None)
    assert "remaining gain is only 2.5e-06 nats per row, but another iteration has" in told
    mixture.gap_estimate_ = 2.5e-5
    assert "gain is 2.5e-05 nats per row, and tol / 100 is 1.0e-05." in not_converged(mixture, "c")
