"""A comparison of two mixtures in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from daskgmm.counting import counted
from daskgmm.models.comparison.agreement import Agreement

if TYPE_CHECKING:
    from daskgmm.models.comparison.comparison import Comparison

LISTED = 12
"""Components of which pairs and confusion are printed."""

LINES = {
    "components": "components",
    "structure": "covariance",
    "preprocessing": "preprocessing",
    "n_parameters": "parameters",
    "rows": "rows of the fit",
    "log_likelihood": "log-likelihood, nats a row",
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


def _facts(found: Comparison) -> str:
    d = counted(len(found.features), "feature")
    lines = [f"Two mixtures of {d}", "", f"{'':28}{'A':>16}{'B':>16}"]
    for name, what in LINES.items():
        values = "".join(f"{_value(each[name]):>16}" for each in found.facts)
        lines.append(f"{what:<28}{values}")
    counts = [each["rows"] for each in found.facts]
    if None not in counts and counts[0] != counts[1]:
        lines.append(OTHER_ROWS)
    return "\n".join(lines)


def _value(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, str):
        return value or "none"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.8g}"


def _pairs(found: Comparison) -> str:
    lines = [f"{'A':>4}{'B':>5}  distance  confidence"]
    pairs = zip(found.pairs.tolist(), found.distances, found.confidence, strict=True)
    for (a, b), distance, confidence in list(pairs)[:LISTED]:
        lines.append(f"{a:4}{b:5}  {distance:8.3g}  {confidence:10.3f}")
    if len(found.pairs) > LISTED:
        lines.append(f"and {len(found.pairs) - LISTED} more pairs")
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
        lines.append(f"log-likelihood, nats a row  A {a:.6g}  B {b:.6g}")
        lines.append(f"B less A  {of.difference:+.4g} +- {of.standard_error:.2g}")
    return "\n".join(lines)


def _labels(of: Agreement) -> str:
    line = f"labels  adjusted Rand index {of.adjusted_rand:.4f}"
    counts = of.confusion
    if max(counts.shape) > LISTED + 1:
        return line
    names = [[*map(str, range(size - 1)), "out"] for size in counts.shape]
    rows, columns = (
        [place for place, name in enumerate(own) if name != "out" or total[place]]
        for own, total in zip(names, (counts.sum(axis=1), counts.sum(axis=0)), strict=True)
    )
    width = max(4, *(len(f"{n:,}") for n in counts.ravel().tolist())) + 2
    head = "".join(f"{names[1][j]:>{width}}" for j in columns)
    lines = [
        f"A {names[0][i]:>4}" + "".join(f"{counts[i, j]:>{width},}" for j in columns) for i in rows
    ]
    return "\n".join([line, f"{'B':>6}{head}", *lines])
