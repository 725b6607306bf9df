"""What is said of an interrupted command, and of the same command when it runs again."""

from contextlib import suppress

import dask
import numpy as np
import pandas as pd
import pytest

from daskgmm import GaussianMixture, sweep
from daskgmm.cli.interrupting import interruptible
from daskgmm.em.events import Iterated, Started, SweepIterated, SweepResumed
from daskgmm.progress import QUIET_SECONDS, Shown, line, next_title, show_lines
from daskgmm.storage.address import Address
from tests.cli.data import clusters

GAPS = [[0.0, np.nan, 1.0]] * 20


@pytest.fixture
def model(folder):
    """A model of rows with gaps, of which pieces.parquet has some in 5 row groups."""
    mixture = GaussianMixture(2, missing="marginalise", random_state=0, tol=1.0)
    names = ["a", "b", "c"]
    frame = pd.DataFrame(np.concatenate([clusters(480), GAPS]), columns=names)
    frame.to_parquet("pieces.parquet", row_group_size=100)
    mixture.fit(frame).save("gaps.json")
    return mixture


def stop(done, total):
    raise KeyboardInterrupt


def stop_at_third(done, total):
    if done == 3:  # two are noted by then
        raise KeyboardInterrupt


@pytest.mark.parametrize("command", ["predict", "impute"])
def test_predictions_that_go_on_say_so(folder, call, model, command, monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
    run = [command, "gaps.json", "pieces.parquet", "-o", "out.zarr", "--chunks", 100]
    run += ["--threads", 1]
    with monkeypatch.context() as patched:
        patched.setattr("daskgmm.progress._plain_pass", lambda title: stop_at_third)
        with pytest.raises(KeyboardInterrupt, match=r"The same command resumes from there"):
            call(*run)
    again = call(*run)
    assert again.exit_code == 0, again.output
    assert again.stderr.startswith("resuming from what is written, 2 of 5 batches\n")
    assert not call(*run, "--overwrite").stderr


def test_predictions_begin_anew_only_if_they_may_and_say_so(folder, call, model, monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
    asked = {"chunks": 100, "progress": stop_at_third}
    with dask.config.set(num_workers=1), pytest.raises(KeyboardInterrupt):
        model.predict_to_zarr("pieces.parquet", "out.zarr", ["label"], **asked)
    other = ("predict", "gaps.json", "pieces.parquet", "-o", "out.zarr", "--chunks", "100")
    other += ("--outputs", "posterior")
    refused = call(*other)
    assert refused.exit_code != 0
    assert "out.zarr.partial holds 2 batches that an interrupted run, begun" in refused.stderr
    assert (
        "wrote with other outputs (written: label int8; asked: posterior float32)."
        in refused.stderr
    )
    assert "--overwrite" in refused.stderr
    again = call(*other, "--overwrite")
    assert call("info", "out.zarr").stdout.rstrip().endswith("state        whole")
    with dask.config.set(num_workers=1), pytest.raises(KeyboardInterrupt):
        model.predict_to_zarr("pieces.parquet", "out.zarr", ["label"], overwrite=True, **asked)
    beside = call("info", "out.zarr").stdout  # what is there is as whole as before
    assert "whole; " in beside
    assert "out.zarr.partial holds what another run has written so far" in beside
    assert again.exit_code == 0
    assert again.stderr.startswith("beginning anew: what an earlier run left cannot be resumed")


def interrupted(model, out, **asked):
    asked = {"chunks": 100, "progress": stop_at_third, **asked}
    with dask.config.set(num_workers=1), pytest.raises(KeyboardInterrupt):
        model.predict_to_zarr("pieces.parquet", out, ["label", "posterior"], **asked)


@pytest.mark.parametrize(
    "path", ["out.zarr", "out.zarr.partial", "out.zarr.partial/", "out.zarr.partial.progress.json"]
)
def test_info_tells_of_a_run_that_has_not_ended(folder, call, model, monkeypatch, path):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
    interrupted(model, "out.zarr")
    told = call("info", path)
    assert told.exit_code == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0].endswith("out.zarr.partial: predictions of a run that has not ended")
    facts = dict(line.strip().split("  ", 1) for line in lines[1:])
    assert facts["so far"].strip() == "2 of 5 batches"
    assert facts["outputs"].strip() == "label, posterior"
    assert facts["begun"].strip().startswith("20")
    assert "by process" in facts["begun"]
    assert "repeat the command (or call) that began it" in facts["to resume"]
    assert "--out out.zarr: it resumes from what is written" in facts["to resume"]


def test_info_tells_of_a_run_beside_what_is_whole(folder, call, model, monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
    model.predict_to_zarr("pieces.parquet", "out.zarr", ["label"])
    interrupted(model, "out.zarr", overwrite=True)
    told = call("info", "out.zarr").stdout
    assert told.startswith("out.zarr: predictions\n")
    assert "2 of 5 batches" in told
    journal = folder / "out.zarr.partial.progress.json"
    journal.write_text(journal.read_text()[:-3])
    assert "the journal is torn, so no run resumes" in call("info", "out.zarr.partial").stdout


def test_info_tells_of_a_run_at_a_url(folder, call, model, monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
    interrupted(model, "memory://going-on/out.zarr")
    told = call("info", "memory://going-on/out.zarr").stdout
    assert "NOT whole: the run that writes them has not ended" in told
    assert "2 of 5 batches" in told
    assert "--out memory://going-on/out.zarr: it resumes" in told


def test_other_commands_name_the_run_that_has_not_ended(folder, call, model, monkeypatch):
    monkeypatch.setattr("daskgmm.passes.batches.MIN_BATCH_SECONDS", 1e-9)
    interrupted(model, "out.zarr")
    refused = call("fit", "out.zarr", "-k", 2, "-o", "other.json")
    assert refused.exit_code == 1
    assert "out.zarr does not exist." in refused.stderr
    assert "`daskgmm info out.zarr` tells of it" in refused.stderr


def test_nothing_is_asked_where_nothing_was_written(folder, call, model):
    with pytest.raises(KeyboardInterrupt):
        model.predict_to_zarr("pieces.parquet", "out.zarr", ["label"], progress=stop)
    other = ("predict", "gaps.json", "pieces.parquet", "-o", "out.zarr", "--outputs", "posterior")
    assert call(*other).exit_code == 0


def test_a_sweep_that_goes_on_says_so(tmp_path):
    def told(events):
        def tell(event):
            events.append(event)
            if isinstance(event, SweepIterated) and events is first:
                raise KeyboardInterrupt

        return tell

    asked = {"checkpoint": tmp_path / "c", "random_state": 0, "n_init": 1, "tol": 1e-6}
    first, again = [], []
    with pytest.raises(KeyboardInterrupt):
        sweep(clusters(1500), [2, 3], **asked, sample_rows=200, listen=told(first))
    sweep(clusters(1500), [2, 3], **asked, sample_rows=200, listen=told(again))
    kept, before = again[0], first[-1]
    assert isinstance(kept, SweepResumed)
    assert (kept.iteration, kept.left) == (before.iteration, before.left)
    assert not any(isinstance(event, SweepResumed) for event in first)
    assert (
        line(SweepResumed(4, 9, 2))
        == "resuming from the checkpoint, after pass 4  2 of 9 models left"
    )
    assert next_title(SweepResumed(4, 9, 2), 1) == "pass 5"


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("c", "c holds the sweep so far. The same"),
        ("c.0", "c.0 and so on hold the fits of the classes so far. The same"),
        (
            "other",
            "no model was written, and no checkpoint: c is first written after the",
        ),
    ],
)
def test_an_interruption_says_what_it_leaves(folder, there, said):
    (folder / there).write_text("a checkpoint")
    with pytest.raises(KeyboardInterrupt, match=said), interruptible(Address.of("c"), "sweep"):
        raise KeyboardInterrupt


def test_an_interruption_without_a_checkpoint_says_how_to_be_ready_for_one():
    with (
        pytest.raises(
            KeyboardInterrupt, match="With --checkpoint FILE, the same command resumes a fit"
        ),
        interruptible(None, "fit"),
    ):
        raise KeyboardInterrupt


def iterated(number):
    known = {"lower_bound": -4.0, "change": 0.1, "rows": 9, "seconds": 1.0}
    return Iterated(iteration=number, nbytes=0, peak_memory=0, **known)


def test_of_many_passes_few_are_written(capsys, monkeypatch):
    """The first one, one in five seconds, and the last one; of each start."""
    now = [0.0]
    monkeypatch.setattr("daskgmm.progress.time.monotonic", lambda: now[0])
    with suppress(KeyboardInterrupt), show_lines() as shown:
        for start in (0, 1):
            shown(Started(start))
            for number in range(1, 10):
                now[0] += 0.3 * QUIET_SECONDS
                shown(iterated(number))
        raise KeyboardInterrupt
    lines = [text.split("  ")[0] for text in capsys.readouterr().err.splitlines()]
    each = [f"iteration {number}" for number in (1, 5, 9)]
    assert lines == [*each, "start 2", *each]


def test_passes_of_a_sweep_end_with_the_last_one(capsys):
    shown = Shown()
    for number in range(1, 40):
        shown(SweepIterated(number, 3, number < 39))
    shown.close()
    first, last = capsys.readouterr().err.splitlines()
    assert (first[:7], last[:8]) == ("pass 1 ", "pass 39 ")
