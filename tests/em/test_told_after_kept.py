"""An iteration that was told is in the checkpoint: whoever ends the run then, it goes on there."""

import pytest

from daskgmm import GaussianMixture, sweep
from daskgmm.em.events import FitStarted, Iterated, PassEnded, SweepIterated
from tests.oracle.data import blobs

X = blobs(600, 2, 3, seed=1)


class Ended(Exception):
    """Ends a run at once, as the loss of its machine would."""


def ended_at(kind, number):
    """Return a listener that ends the run with so many events of a kind."""

    def listen(event):
        told.extend([event] * isinstance(event, kind))
        if len(told) == number:
            raise Ended

    told = []
    return listen


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("n", [600, 60_000], ids=["few rows", "a pass that compares starts"])
def test_a_fit(n, number, tmp_path):
    mixture, rows = GaussianMixture(3, tol=0.0, max_iter=5, random_state=0), blobs(n, 2, 3, seed=1)
    with pytest.raises(Ended):
        mixture.fit(rows, checkpoint=tmp_path / "c", listen=ended_at(Iterated, number))
    events = []
    mixture.fit(rows, checkpoint=tmp_path / "c", listen=events.append)
    assert [each.resumed for each in events if isinstance(each, FitStarted)] == [number]
    again = [each.iteration for each in events if isinstance(each, Iterated)]
    assert again == list(range(number + 1, 6))


def test_a_sweep(tmp_path):
    def passes(listen):
        events = []
        settings = {"tol": 1e-9, "random_state": 0, "n_init": 1}
        sweep(
            X,
            (2, 3),
            checkpoint=tmp_path / "c",
            listen=lambda event: (events.append(event), listen(event)),
            **settings,
        )
        return [each for each in events if isinstance(each, PassEnded) and "expect" in each.name]

    with pytest.raises(Ended):
        passes(ended_at(SweepIterated, 2))
    rest = len(passes(lambda event: None))
    (tmp_path / "c").unlink()
    assert len(passes(lambda event: None)) == rest + 2
