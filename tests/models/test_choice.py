"""Which row of a sweep's table is the best, and what is said of a doubtful choice."""

import math

import pytest

from daskgmm import Sweep
from daskgmm.errors import ChoiceWarning
from daskgmm.models.choice import doubts, place_of_best


def table(bic, degenerate=None, status=None, **others):
    n = len(bic)
    return {
        "n_components": list(range(1, n + 1)),
        "covariance_type": ["full"] * n,
        "status": ["fitted"] * n if status is None else status,
        "degenerate": [0] * n if degenerate is None else degenerate,
        "reason": ["on a floor: 1 (column 0)" if each else "" for each in degenerate or [0] * n],
        **{name: [-value for value in bic] for name in ("heldout",)},
        **dict.fromkeys(("bic", "aic", "icl"), bic),
        **others,
    }


def test_the_best_has_the_lowest_criterion_and_the_highest_held_out_likelihood():
    found = table([5.0, 3.0, 4.0], heldout=[1.0, 2.0, 3.0])
    assert [place_of_best(found, name) for name in ("bic", "aic", "icl", "heldout")] == [1, 1, 1, 2]


def test_a_degenerate_model_is_the_best_only_if_all_are():
    assert place_of_best(table([5.0, 3.0, -99.0], degenerate=[0, 0, 1]), "bic") == 1
    found = table([5.0, 3.0, -99.0], degenerate=[1, 1, 2])
    assert place_of_best(found, "bic") == 2
    assert "Every model that was fitted has degenerate components" in doubts(found, "bic")[0]
    # What stayed on the sample is no choice, however sound.
    found = table([5.0, 3.0, 4.0], degenerate=[0, 1, 1], status=["sample", "fitted", "fitted"])
    assert place_of_best(found, "bic") == 1


def test_values_that_are_not_numbers_are_never_the_best():
    found = table([math.nan, 3.0, 4.0], heldout=[math.nan, math.nan, 1.0])
    assert place_of_best(found, "bic") == 1
    assert place_of_best(found, "heldout") == 2
    found = table([math.nan, 3.0, 4.0], status=["failed", "fitted", "fitted"])
    assert place_of_best(found, "bic") == 1


def test_where_held_out_likelihood_is_not_known_bic_decides_and_that_is_said():
    """Of a start that went on for another one it was not estimated."""
    nan = math.nan
    found = table([5.0, 3.0, 4.0, 1.0], [0, 0, 0, 1], heldout=[nan, nan, nan, 9.0])
    assert place_of_best(found, "heldout") == 1
    said = doubts(found, "heldout")
    assert "has a known held-out likelihood; 2 full is the best of them by BIC" in said[0]
    found = table([5.0, 3.0, 4.0, 1.0], [0, 0, 0, 1], heldout=[0.5, nan, nan, 9.0])
    assert place_of_best(found, "heldout") == 0


def test_an_edge_of_what_was_tried_is_said_with_what_the_others_choose():
    found = table([5.0, 4.0, 3.0], icl=[1.0, 2.0, 3.0], heldout=[0.0, 1.0, 0.0])
    (said,) = doubts(found, "bic")
    assert "3 components, the largest number that was tried (1 to 3): a larger one may be" in said
    assert "AIC chooses 3, ICL chooses 1, held-out likelihood chooses 2" in said
    assert doubts(found, "heldout") == []
    assert doubts(found, "icl") == []  # one component is no edge: there are no fewer
    larger = {**found, "n_components": [4, 5, 6]}
    (said,) = doubts(larger, "icl")
    assert "4 components, the smallest number that was tried (4 to 6): a smaller one" in said


def test_better_models_that_were_set_aside_are_named():
    found = table([5.0, 3.0, 3.5, -99.0, -98.0], degenerate=[0, 0, 0, 1, 2])
    (said,) = doubts(found, "bic")
    assert "2 full is the best model by BIC without degenerate components" in said
    assert "2 models with such components are better and were set aside" in said
    assert "4 full (on a floor: 1 (column 0))" in said
    # None of them is better, or nothing is left.
    assert doubts(table([5.0, 3.0, 4.0], degenerate=[0, 0, 1]), "bic") == []
    (said,) = doubts(table([5.0, 3.0], degenerate=[1, 1]) | {"n_components": [2, 2]}, "bic")
    assert said.startswith("Every model")
    found = table([5.0, 3.0, 4.0], degenerate=[0, 0, 1], status=["fitted", "fitted", "sample"])
    found |= {"heldout": [1.0, 2.0, 3.0]}
    assert doubts(found, "heldout")[0].startswith("2 full is the best model by held-out likelihood")


def test_one_size_has_no_edge():
    assert doubts(table([5.0]), "bic") == []
    same = {**table([5.0, 4.0]), "n_components": [3, 3], "covariance_type": ["full", "tied"]}
    assert doubts(same, "bic") == []


def test_best_warns_and_repr_does_not():
    found = Sweep(table([5.0, 4.0, 3.0]), ["one", "two", "three"])
    assert "best by bic: 3 full)" in repr(found)
    with pytest.warns(ChoiceWarning, match="the largest number that was tried"):
        assert found.best() == "three"
