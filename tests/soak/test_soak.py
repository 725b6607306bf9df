"""A short soak, with a seed; `python -m tests.soak` is the long one."""

import pytest

from tests.soak.chaos import soak

pytestmark = [
    pytest.mark.slow,
    # A nanny that is asked to close while it replaces its worker says so.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


def test_runs_end_in_the_bits_of_quiet_ones(tmp_path):
    tally = soak(tmp_path, seed=3, rounds=6)
    assert tally.wrong == []
    assert tally.counts["schedulers looked at"] == 1
