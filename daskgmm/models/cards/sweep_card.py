"""A sweep on one screen: the best model, its neighbours, the table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from typing import Any

from daskgmm.counting import counted
from daskgmm.markup.card import card, facts, more, notice, table
from daskgmm.markup.carded import FIRST_ROWS, MOST_ROWS
from daskgmm.markup.curve import curve
from daskgmm.markup.text import Html
from daskgmm.models.choice import costs_of, doubts, place_of_best
from daskgmm.names import CRITERIA, FAILED, FITTED

Table = Mapping[str, Sequence[Any]]

HEADER = (
    "components", "covariance", "log likelihood", "parameters", "AIC", "BIC", "ICL", "held out",
    "passes", "status",
)  # fmt: skip


def sweep_card(found: Table, criterion: str, title: str) -> str:
    """Return the table of a sweep as HTML."""
    best, name = place_of_best(found, criterion), CRITERIA[criterion]
    order = by_criterion(found, criterion)
    kinds = list(one_of_each(found, order))
    first = kinds[:FIRST_ROWS]
    others = [row for row in order if row not in first]
    caption = f"Sizes and structures, the best start of each by {name}; likelihoods in nats per row"
    shown = others[: MOST_ROWS - FIRST_ROWS]
    header, *rows = _told([HEADER, *_rows(found, [*first, *shown])])
    left = header.index("covariance"), header.index("status")
    told, rest_told = rows[: len(first)], rows[len(first) :]
    parts = [table(caption, header, told, left=left, best=first.index(best))]
    if shown:
        rest = table("The other models", header, rest_told, left=left)
        hidden = len(others) - len(shown)
        beside = f"{hidden:,} more are in table." if hidden else ""
        parts.append(more(f"{len(shown)} more models", rest, beside))
    return card(
        title,
        facts([(f"best by {name}", _best(found, best, criterion)), *_neighbours(found, criterion)]),
        _curve(found, criterion, best),
        *map(notice, doubts(found, criterion)),
        *parts,
    )


def by_criterion(found: Table, criterion: str) -> list[int]:
    """Return the rows, the chosen one first, then fitted ones and those of the sample by value."""
    best, values = place_of_best(found, criterion), costs_of(found, criterion)
    status = found["status"]

    def key(row: int) -> tuple[bool, bool, bool, float]:
        return row != best, status[row] == FAILED, status[row] != FITTED, values[row]

    return sorted(range(len(status)), key=key)


def one_of_each(found: Table, order: Sequence[int]) -> Iterator[int]:
    """Yield the first row of each size and structure, in this order."""
    seen = set()
    for row in order:
        kind = found["n_components"][row], found["covariance_type"][row]
        if kind not in seen:
            seen.add(kind)
            yield row


def _best(found: Table, best: int, criterion: str) -> str:
    k, structure = counted(found["n_components"][best], "component"), found["covariance_type"][best]
    return f"{k}, {structure}, {CRITERIA[criterion]} {_number(found[criterion][best])}"


def _neighbours(found: Table, criterion: str) -> list[tuple[str, str]]:
    """Return the next sizes of the best structure, with what they lose by the criterion."""
    best, sizes = place_of_best(found, criterion), _best_of_sizes(found, criterion)
    places = list(sizes.values())
    place, told = places.index(best), []
    for other in (*places[max(0, place - 1) : place], *places[place + 1 : place + 2]):
        difference = found[criterion][other] - found[criterion][best]
        if math.isfinite(difference):
            k = found["n_components"][other]
            told.append(f"{difference:+,.4g} with {counted(k, 'component')}")
    return [("neighbours", "; ".join(told))] if told else []


def _best_of_sizes(found: Table, criterion: str) -> dict[int, int]:
    """Return the row of the best model of each size of the best structure, by size."""
    best, values = place_of_best(found, criterion), costs_of(found, criterion)
    places: dict[int, int] = {}
    for row, k in enumerate(found["n_components"]):
        alike = found["covariance_type"][row] == found["covariance_type"][best]
        known = alike and found["status"][row] != FAILED and math.isfinite(values[row])
        if known and (k not in places or values[row] < values[places[k]]):
            places[k] = row
    places[found["n_components"][best]] = best
    return dict(sorted(places.items()))


def _curve(found: Table, criterion: str, best: int) -> Html:
    sizes = _best_of_sizes(found, criterion)
    lowest, highest = min(sizes), max(sizes)
    values = [
        found[criterion][sizes[k]] if k in sizes else math.nan for k in range(lowest, highest + 1)
    ]
    known = [value for value in values if math.isfinite(value)]
    structure, k = found["covariance_type"][best], found["n_components"][best]
    label = (
        f"{CRITERIA[criterion]} of {structure} mixtures of {lowest} to {highest} components; the "
        f"ring is around the best, {k}"
    )
    ends = (_number(min(known)), _number(max(known))) if known else ("", "")
    return curve(values, label, ring=k - lowest, ends=ends)


def _rows(found: Table, places: Sequence[int]) -> list[list[str]]:
    return [
        [
            str(found["n_components"][i]),
            str(found["covariance_type"][i]),
            _likelihood(found["log_likelihood"][i]),
            str(found["n_parameters"][i]),
            *(_number(found[name][i]) for name in ("aic", "bic", "icl")),
            _likelihood(found["heldout"][i]),
            str(found["passes"][i]),
            _status(found, i),
        ]
        for i in places
    ]


def _told(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return lines without the columns that only the first one, their heading, has a text in."""
    some = [any(column) for column in zip(*lines[1:], strict=True)]
    return [list(compress(line, some)) for line in lines]


def _status(found: Table, row: int) -> str:
    status, reason = str(found["status"][row]), found["reason"][row]
    if status == FITTED and not found["converged"][row]:
        status = "not converged"
    if reason and found["degenerate"][row]:
        status = f"{status}, degenerate"
    return f"{status}: {reason}" if reason else status


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ""
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.5g}"


def _likelihood(mean: float) -> str:
    return f"{mean:,.5f}" if math.isfinite(mean) else ""
