"""Choice of the best model of a sweep by a criterion, and reasons to doubt it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from daskgmm.counting import counted
from daskgmm.names import CRITERIA, FITTED, HIGHER_IS_BETTER

Table = Mapping[str, Sequence[Any]]


def place_of_best(table: Table, criterion: str) -> int:
    """Return the row of the best model that was fitted on all rows.

    One with degenerate components is the best only if there is no other: its likelihood is
    that of `reg_covar`, of tied values or of rounding. Where the criterion is known of none that
    is left, BIC decides.
    """
    fitted = [i for i, status in enumerate(table["status"]) if status == FITTED]
    sound = [i for i in fitted if not table["degenerate"][i]]
    costs, second = costs_of(table, criterion), costs_of(table, "bic")
    return min(sound or fitted, key=lambda i: (costs[i], second[i]))


def costs_of(table: Table, criterion: str) -> list[float]:
    """Return a number for each model that is the lower the better it is."""
    sign = -1.0 if criterion in HIGHER_IS_BETTER else 1.0
    return [math.inf if math.isnan(value) else sign * value for value in table[criterion]]


def doubts(table: Table, criterion: str) -> list[str]:
    """Return a sentence or two for each reason to doubt the choice by a criterion."""
    return [
        *_unknown(table, criterion),
        *_degenerate(table, criterion),
        *_set_aside(table, criterion),
        *_at_the_edge(table, criterion),
    ]


def _unknown(table: Table, criterion: str) -> list[str]:
    place = place_of_best(table, criterion)
    if not math.isnan(table[criterion][place]):
        return []
    return [
        f"No model without degenerate components that was fitted has a known "
        f"{CRITERIA[criterion]}; {_named(table, place)} is the best of them by BIC."
    ]


def _degenerate(table: Table, criterion: str) -> list[str]:
    place = place_of_best(table, criterion)
    count = table["degenerate"][place]
    if not count:
        return []
    return [
        f"Every model that was fitted has degenerate components; the best by "
        f"{CRITERIA[criterion]}, {_named(table, place)}, has {count}. They rest on reg_covar, on "
        "tied values or on rounding, so no criterion can compare these models. Try fewer "
        "components, leave out columns of few values or that are sums of others, or raise "
        "reg_covar (--reg-covar) to a variance below which differences do not matter."
    ]


def _set_aside(table: Table, criterion: str) -> list[str]:
    costs, place = costs_of(table, criterion), place_of_best(table, criterion)
    better = [i for i, cost in enumerate(costs) if cost < costs[place]]
    better = [i for i in better if table["degenerate"][i]]
    if not better or table["degenerate"][place] or costs[place] == math.inf:
        return []
    first = min(better, key=costs.__getitem__)
    name, said = _named(table, first), "1 model with such components is better and was"
    if len(better) > 1:
        said = f"{len(better)} models with such components are better and were"
    return [
        f"{_named(table, place)} is the best model by {CRITERIA[criterion]} without degenerate "
        f"components. {said} set aside; the best of them is {name} ({table['reason'][first]}). If "
        "such a narrow component is real, lower reg_covar (--reg-covar) or use other units. If it "
        "holds a value that stands for a missing one, leave out such rows."
    ]


def _at_the_edge(table: Table, criterion: str) -> list[str]:
    place = place_of_best(table, criterion)
    k, tried = table["n_components"][place], sorted(set(table["n_components"]))
    if len(tried) == 1 or (k != tried[-1] and (k != tried[0] or k == 1)):
        return []
    which, other_way = ("largest", "larger") if k == tried[-1] else ("smallest", "smaller")
    choices = ", ".join(
        f"{name} chooses {table['n_components'][place_of_best(table, other)]}"
        for other, name in CRITERIA.items()
        if other != criterion
    )
    advice = (
        "A cluster that is not Gaussian takes several components, and more of them as the number "
        "of rows grows; ICL counts it once."
        if which == "largest"
        else "Add smaller sizes."
    )
    return [
        f"The best model by {CRITERIA[criterion]} has {counted(k, 'component')}, the {which} "
        f"number that was tried ({tried[0]} to {tried[-1]}): a {other_way} one may be better. "
        f"{choices}. {advice}"
    ]


def _named(table: Table, place: int) -> str:
    return f"{table['n_components'][place]} {table['covariance_type'][place]}"
