"""A comparison of two mixtures in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from daskgmm.counting import counted
from daskgmm.markup.carded import Grid, Sheet
from daskgmm.models.comparison.agreement import Agreement

if TYPE_CHECKING:
    from daskgmm.models.comparison.comparison import Comparison

LISTED = 12
"""Components of which pairs and confusion are printed."""

PAIRS = ("A", "B", "distance", "confidence")

LINES = {
    "components": "components",
    "structure": "covariance",
    "preprocessing": "preprocessing",
    "n_parameters": "parameters",
    "rows": "rows of the fit",
    "log_likelihood": "log-likelihood, nats per row",
    "aic": "AIC",
    "bic": "BIC",
}
"""Facts in the order in which they are printed, and what they are."""

OTHER_ROWS = (
    "The fits counted different rows: AIC, BIC and log-likelihood of these do not compare.\n"
    "Compare the mixtures on the same data."
)


def in_words(found: Comparison) -> str:
    """Return the report."""
    parts = [_facts(found), _pairs(found), _divergence(found)]
    if found.on_rows is not None:
        parts += [_likelihoods(found.on_rows), _labels(found.on_rows)]
    return "\n\n".join(parts)


def sheet(found: Comparison) -> Sheet:
    """Return what a card says."""
    texts = [_without_pairs(found), _divergence(found)]
    both = Grid("What they are, and the criteria of their fits", ("", "A", "B"), _rows(found))
    pairs = Grid("Components in pairs", PAIRS, [*_pairs_of(found)], left=())
    grids = [both, pairs]
    if found.on_rows is not None:
        texts += [_likelihoods(found.on_rows), _rand(found.on_rows)]
        header, *rows = _confusion(found.on_rows) or [[]]
        grids.append(Grid("Rows by their labels: lines of A, columns of B", header, rows))
    told = [line.partition("  ") for text in texts for line in text.splitlines()]
    facts = [(first, rest) if rest else ("", first) for first, _, rest in told]
    notices = [OTHER_ROWS.replace("\n", " ")] if _of_other_rows(found) else []
    return Sheet(_title(found), facts, grids, notices)


def _title(found: Comparison) -> str:
    return f"Two mixtures of {counted(len(found.features), 'feature')}"


def _rows(found: Comparison) -> list[tuple[str, str, str]]:
    """Return a fact a row: what it is, of A, of B."""
    a, b = found.facts
    return [(what, _value(a[name]), _value(b[name])) for name, what in LINES.items()]


def _of_other_rows(found: Comparison) -> bool:
    counts = [each["rows"] for each in found.facts]
    return None not in counts and counts[0] != counts[1]


def _facts(found: Comparison) -> str:
    lines = [_title(found), "", f"{'':28}{'A':>16}{'B':>16}"]
    lines += [f"{what:<28}{a:>16}{b:>16}" for what, a, b in _rows(found)]
    if _of_other_rows(found):
        lines.append(OTHER_ROWS)
    return "\n".join(lines)


def _value(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, str):
        return value or "none"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.8g}"


def _pairs(found: Comparison) -> str:
    lines = [
        f"{a:>4}{b:>5}  {distance:>8}  {confidence:>10}"
        for a, b, distance, confidence in [PAIRS, *islice(_pairs_of(found), LISTED)]
    ]
    if len(found.pairs) > LISTED:
        lines.append(f"and {len(found.pairs) - LISTED} more pairs")
    return "\n".join([*lines, *_without_pairs(found).splitlines()])


def _pairs_of(found: Comparison) -> Iterator[tuple[str, ...]]:
    pairs = zip(found.pairs.tolist(), found.distances, found.confidence, strict=True)
    for (a, b), distance, confidence in pairs:
        yield str(a), str(b), f"{distance:.3g}", f"{confidence:.3f}"


def _without_pairs(found: Comparison) -> str:
    """Return lines on components that have no partner; empty if all have."""
    lines = []
    for name, side, facts in zip("AB", (0, 1), found.facts, strict=True):
        alone = sorted({*range(facts["components"])} - {*found.pairs[:, side].tolist()})
        if alone:
            more = f" and {len(alone) - LISTED} more" if len(alone) > LISTED else ""
            lines.append(
                f"without a partner in {name}: {', '.join(map(str, alone[:LISTED]))}{more}"
            )
    return "\n".join(lines)


def _divergence(found: Comparison) -> str:
    if found.divergence is None:
        return f"No divergence: {found.no_divergence}"
    names = zip(("A from B", "B from A"), found.divergence, strict=True)
    return "\n".join(
        f"divergence of {name}  {each.value:.4g}{_plus_minus(each.standard_error)} nats"
        for name, each in names
    )


def _plus_minus(error: float) -> str:
    return f" +- {error:.2g}" if error > 0 else ""


def _likelihoods(of: Agreement) -> str:
    missing = f", {counted(of.missing, 'row')} left out that miss a value" if of.missing else ""
    lines = [f"{counted(of.rows, 'row')} of the data{missing}"]
    if math.isnan(of.difference):
        lines.append("The mixtures lie in different principal axes: likelihoods do not compare.")
    else:
        a, b = of.log_likelihoods
        lines.append(f"log-likelihood, nats per row  A {a:.6g}  B {b:.6g}")
        lines.append(f"B less A  {of.difference:+.4g} +- {of.standard_error:.2g}")
    return "\n".join(lines)


def _rand(of: Agreement) -> str:
    return f"labels  adjusted Rand index {of.adjusted_rand:.4f}"


def _confusion(of: Agreement) -> list[list[str]]:
    """Return lines of cells: labels of B, then rows by labels of A; none of many components."""
    counts = of.confusion
    if max(counts.shape) > LISTED + 1:
        return []
    names = [[*map(str, range(size - 1)), "out"] for size in counts.shape]
    rows, columns = (
        [place for place, name in enumerate(own) if name != "out" or total[place]]
        for own, total in zip(names, (counts.sum(axis=1), counts.sum(axis=0)), strict=True)
    )
    head = ["", *(names[1][j] for j in columns)]
    return [head, *([names[0][i], *(f"{counts[i, j]:,}" for j in columns)] for i in rows)]


def _labels(of: Agreement) -> str:
    lines = _confusion(of)
    if not lines:
        return _rand(of)
    (_, *columns), *rows = lines
    width = max(4, *(len(cell) for _, *cells in rows for cell in cells)) + 2
    head = "".join(f"{name:>{width}}" for name in columns)
    told = [f"A {name:>4}" + "".join(f"{cell:>{width}}" for cell in cells) for name, *cells in rows]
    return "\n".join([_rand(of), f"{'B':>6}{head}", *told])
