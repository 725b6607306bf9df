"""Two runs with one checkpoint: the later one takes it, and they never write in turn."""

import json

import numpy as np
import pytest

from daskgmm import GaussianMixture, sweep
from daskgmm.em.checkpoints.checkpoint import HEAD_BYTES, RUN, digest_of, read_document
from daskgmm.em.events import Checkpointed
from daskgmm.errors import CheckpointError
from daskgmm.storage.address import Address

X = np.random.default_rng(0).normal(size=(2000, 2)) + 2.0 * (np.arange(2000) % 2)[:, None]
TAKEN = r"Another run has taken the checkpoint .*process \d+ on .* wrote there at"


def mixture(seed=0):
    return GaussianMixture(2, random_state=seed, tol=1e-7, max_iter=500, acceleration=None)


def after(saves, do):
    """Return a listener that does something once the checkpoint was written so often."""
    seen = []

    def listen(event):
        if isinstance(event, Checkpointed):
            seen.append(event)
            if len(seen) == saves:
                do()

    return listen


@pytest.mark.parametrize("place", ["local", "url"])
def test_a_run_that_goes_on_takes_the_checkpoint(place, tmp_path):
    """A job that was queued again, while the first one still lives."""
    path = tmp_path / "c.json" if place == "local" else "memory://two-checkpoints/c.json"
    alone, later = mixture().fit(X), mixture()
    with pytest.raises(CheckpointError, match=TAKEN):
        mixture().fit(X, checkpoint=path, listen=after(3, lambda: later.fit(X, checkpoint=path)))
    assert later.means_.tobytes() == alone.means_.tobytes()
    kept = read_document(Address.of(path))["state"]
    with pytest.raises(CheckpointError, match="another fit"):
        mixture(1).fit(X, checkpoint=path)
    assert read_document(Address.of(path))["state"] == kept


def test_it_is_taken_before_the_first_pass(tmp_path):
    """The predecessor ends even if the successor is killed at once."""
    path = tmp_path / "c.json"

    def begin_and_die():
        def die(event):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            mixture().fit(X, checkpoint=path, listen=die)

    with pytest.raises(CheckpointError, match=TAKEN):
        mixture().fit(X, checkpoint=path, listen=after(2, begin_and_die))
    found = mixture().fit(X, checkpoint=path)
    assert found.means_.tobytes() == mixture().fit(X).means_.tobytes()


def test_other_fits_that_begin_at_once_do_not_mix(tmp_path):
    """Neither finds a file as it begins."""
    path, first = tmp_path / "c.json", []

    def other_begins(event):
        if not first:
            first.append(event)
            mixture(1).fit(X, checkpoint=path)

    with pytest.raises(CheckpointError, match=TAKEN):
        mixture(0).fit(X, checkpoint=path, listen=other_begins)
    assert mixture(1).fit(X, checkpoint=path).means_.tobytes() == mixture(1).fit(X).means_.tobytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::daskgmm.errors.ChoiceWarning")  # few sizes
def test_a_sweep_and_its_successor(tmp_path):
    path, found = tmp_path / "c.json", []
    settings = {"random_state": 0, "checkpoint": path}

    def again():
        found.append(sweep(X, [1, 2], **settings).best())

    with pytest.raises(CheckpointError, match=TAKEN):
        sweep(X, [1, 2], **settings, listen=after(2, again))
    alone = sweep(X, [1, 2], random_state=0).best()
    assert found[0].means_.tobytes() == alone.means_.tobytes()


def test_a_file_that_was_removed_is_written_again(tmp_path):
    path = tmp_path / "c.json"
    mixture().fit(X, checkpoint=path, listen=after(2, path.unlink))
    assert path.exists()


def test_the_run_stands_in_the_first_bytes(tmp_path):
    """Also of a checkpoint that an older version wrote, once a run went on from it."""
    path = tmp_path / "c.json"
    mixture().fit(X, checkpoint=path)
    document = read_document(Address.of(path))
    for name in ("run", "by"):
        del document[name]
    path.write_text(json.dumps({**document, "sha256": digest_of(document)}))
    assert RUN.search(path.read_bytes()[:HEAD_BYTES]) is None
    mixture().fit(X, checkpoint=path)
    assert RUN.search(path.read_bytes()[:HEAD_BYTES])


@pytest.mark.parametrize("begun", [False, True])
def test_a_write_that_came_about_and_was_told_to_have_failed_is_no_other_run(
    begun, tmp_path, monkeypatch
):
    """An object store whose answer is lost, a disk that is full when its folder is flushed."""
    path, alone, going = tmp_path / "c.json", mixture().fit(X), mixture()
    if begun:
        with pytest.raises(KeyboardInterrupt):
            mixture().fit(X, checkpoint=path, listen=after(3, _interrupt))
    write = Address.replace

    def answer_lost(address, content):
        write(address, content)
        raise TimeoutError("no answer")

    monkeypatch.setattr(Address, "replace", answer_lost)
    with pytest.warns(UserWarning, match="cannot be written: TimeoutError"):
        going.fit(X, checkpoint=path)
    assert going.means_.tobytes() == alone.means_.tobytes()


def _interrupt():
    raise KeyboardInterrupt
