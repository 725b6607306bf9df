"""The tree of merges depends on the number of results alone."""

import pytest

from daskgmm.passes.reduction import reduce_in_order


def tree(count):
    return reduce_in_order((str(i) for i in range(count)), lambda a, b: f"({a} {b})")


def test_trees():
    assert tree(1) == "0"
    assert tree(2) == "(0 1)"
    assert tree(3) == "((0 1) 2)"
    assert tree(4) == "((0 1) (2 3))"
    assert tree(7) == "(((0 1) (2 3)) ((4 5) 6))"


def test_every_result_counts_once():
    for count in range(1, 70):
        assert reduce_in_order(range(count), lambda a, b: a + b) == sum(range(count))


def test_nothing_cannot_be_reduced():
    with pytest.raises(ValueError, match="X has no rows"):
        reduce_in_order(iter(()), lambda a, b: a)
