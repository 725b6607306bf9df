"""The most components of each structure get more starts, which fewer components gain by."""

import numpy as np
import pytest

import daskgmm.em.selection.races
from daskgmm import sweep
from daskgmm.em.selection.races import FROM_LARGEST
from daskgmm.em.starts.candidates import race
from daskgmm.em.survey.sample import compared_rows

N_INIT = 3


@pytest.fixture
def started(monkeypatch):
    """Return how many starts each size and structure has at once."""
    counts = {}

    def counting(draw, settings, seeds, **others):
        counts.setdefault((settings.structure, settings.n_components), []).append(len(seeds))
        return race(draw, settings, seeds, **others)

    monkeypatch.setattr(daskgmm.em.selection.races, "race", counting)
    return counts


def clusters(n, k=3, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(n, 2)) + 4 * random.integers(k, size=(n, 1))


def test_the_largest_size_of_each_structure_has_more(started):
    structures = ["tied", "spherical"]
    sweep(clusters(600), [1, 4, 2], structures, n_init=N_INIT, random_state=0)
    for structure in structures:
        assert N_INIT < started[structure, 4][0] <= FROM_LARGEST
        assert started[structure, 2][0] == started[structure, 1][0] == N_INIT


def test_no_more_than_were_asked_for_if_these_are_many(started):
    sweep(clusters(600), [1, 4], "tied", n_init=FROM_LARGEST + 1, random_state=0)
    assert started["tied", 4][0] == FROM_LARGEST + 1


@pytest.mark.parametrize(
    ("n", "sizes"),
    [
        (600, [4]),  # there are no fewer components that gain
        (60, [1, 4]),  # rows are too few for exchanges
        (600, [1, 2]),  # nothing can be exchanged between two
    ],
)
def test_none_has_more(started, n, sizes):
    sweep(clusters(n), sizes, "tied", n_init=N_INIT, random_state=0)
    assert all(counts[0] == N_INIT for counts in started.values())


@pytest.mark.parametrize(
    ("n_parameters", "d", "wanted", "expected"),
    [
        (272, 5, None, (40_800, 51_000)),
        (50, 5, None, (10_000, 20_000)),
        (1_223, 16, None, (61_150, 122_300)),  # as many as one start has
        (1_000, 16, None, (60_000, 100_000)),
        (200_000, 100, None, (167_772, 335_544)),  # 128 MiB
        (10, 5, 500, (500, 1_000)),
    ],
)
def test_rows_that_models_are_compared_by(n_parameters, d, wanted, expected):
    assert compared_rows(n_parameters, d, wanted) == expected
