"""Reports of fits and sweeps in words."""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import click

from daskgmm.counting import counted
from daskgmm.names import CRITERIA, FLOAT64

COLUMNS = 80
"""Characters of a line, at most, of what is said beside results."""

LIST_CHARACTERS = 2 * COLUMNS
"""Characters of a list of names in it: of more names their number is said."""


FIXED_SPACE = "\0"
"""A space in a name of a list, where no line ends."""


def wrapped(text: str) -> str:
    """Return a sentence in lines of `COLUMNS` characters at most, the further ones indented."""
    lines = textwrap.fill(
        text, COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return lines.replace(FIXED_SPACE, " ")


def tell(text: str, *, err: bool = False) -> None:
    """Show a text; on a terminal in lines that end between words, where it would break them."""
    stream = sys.stderr if err else sys.stdout
    click.echo(fitted_to(text, stream.isatty()), err=err)


def fitted_to(text: str, terminal: bool, before: int = 0) -> str:
    """Return a text in lines that a terminal has room for, `before` characters into the first.

    What goes to a file or another program stays in the lines it has.
    """
    if not terminal:
        return text
    width = shutil.get_terminal_size().columns
    lines = (FIXED_SPACE * before + text).splitlines()
    return "\n".join(_narrow(line, width) for line in lines)[before:]


def _narrow(line: str, width: int) -> str:
    """Return a line as lines of so many characters at most; words, as paths, stay whole."""
    if len(line) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False,
        replace_whitespace=False,
    )  # fmt: skip


def some_of(names: Iterable[str]) -> str:
    """Return as many names as a list has room for, at least one, and the number of the others.

    It is a part of a text for `wrapped`.
    """
    known, shown, length = list(names), 0, 0
    for name in known:
        length += len(name) + len(", ")
        if shown and length > LIST_CHARACTERS:
            break
        shown += 1
    more = len(known) - shown
    listed = ", ".join(name.replace(" ", FIXED_SPACE) for name in known[:shown])
    return listed + (f" and {more:,} more" if more else "")


def fit_report(mixture: Any, out: str) -> str:
    """Return the result of a fit in a line, with the rows that count where there are weights."""
    from daskgmm.models.facts.criteria import likelihoods_of, n_in_words
    from daskgmm.models.settings.truncation import left_out_in_words
    from daskgmm.report.model import left_out

    k, d = mixture.means_.shape
    ended = "converged" if mixture.converged_ else "stopped"
    facts, compared = mixture.fitted_on_, left_out_in_words(mixture)
    weighted = facts["weight"] != facts["rows"]
    return (
        f"{out}: {counted(k, 'component')} in {counted(d, 'feature')}, {mixture._structure_name} "
        f"covariance, {ended} after {counted(mixture.n_iter_, 'iteration')}, "
        + ", ".join(f"{what} {value:.5f}" for what, value in likelihoods_of(mixture))
        + (f", {n_in_words(_rows_that_count(mixture), facts)}" if weighted else "")
        + (f"; {left_out(facts, mixture.missing)}" if facts.get("missing") else "")
        + ("" if compared is None else f"; candidates: {compared}")
    )


def _rows_that_count(mixture: Any) -> float:
    """Return n; criteria also warn where it is not known what weights mean."""
    if hasattr(mixture, "criteria_"):
        return float(mixture.criteria_["n"])
    facts = mixture.fitted_on_
    return float(facts["weight" if facts["weights_are"] == "counts" else "effective_rows"])


def sweep_report(found: Any, best: Any, out: str) -> str:
    """Return the table of a sweep, the best model marked, and what became of the rest."""
    from daskgmm.models.choice import doubts
    from daskgmm.models.facts.criteria import n_in_words
    from daskgmm.report.sweep import doubtful_text, staying_text, table_text

    place = next(i for i, model in enumerate(found.models) if model is best)
    ended = "converged" if best.converged_ else "stopped"
    said = [staying_text(found.table), doubtful_text(found.table)]
    said += doubts(found.table, found.criterion)
    text = "\n".join(line for line in said if line)
    return (
        f"{table_text(found.table, place)}\n\n{text}\n"
        f"AIC, BIC and ICL count {n_in_words(found.table['n'][0], best.fitted_on_)}.\n"
        f"{out}: {counted(best.n_components, 'component')}, {best._structure_name} covariance, "
        f"the best by {CRITERIA[found.criterion]}, {ended} after "
        f"{counted(best.n_iter_, 'iteration')}"
    )


def prediction_report(
    written: Any, outputs: tuple[str, ...], names: Sequence[Any] | None = None
) -> str:
    """Return what was written, and the rows of each component if labels were; or of each class."""
    lines = [f"{written.path}: {counted(written.rows, 'row')} ({', '.join(outputs)})"]
    others = (("out", written.outliers), ("none", written.missing))
    counts = enumerate(written.counts) if names is None else zip(names, written.counts, strict=True)
    rows = [*(counts if "label" in outputs else ()), *others]
    width = max([4, *(len(str(name)) for name in names or ())])
    lines += [
        f"  {name!s:>{width}}  {count:>15,}  {count / max(1, written.rows):>6.1%}"
        for name, count in rows
        if count or name not in ("out", "none")
    ]
    return "\n".join(lines)


def not_converged(mixture: Any, checkpoint: str | None) -> str:
    """Return what is to be done about a fit that used up its iterations."""
    return (
        f"not converged after {counted(mixture.n_iter_, 'iteration')}: {_missing(mixture)}. The "
        "model is written and can be used. For a closer fit, "
        f"run again with --overwrite and --max-iter {3 * mixture.max_iter}"
        + ("" if checkpoint is None else _resuming(mixture, checkpoint))
        + ("; to stop earlier raise --tol." if mixture.tol > 0 else ".")
    )


def _resuming(mixture: Any, checkpoint: str) -> str:
    """Return how to go on: which passes are in float32 depends on `max_iter`."""
    if getattr(mixture, "precision", FLOAT64) != FLOAT64:
        return ", and another --checkpoint"
    return f", which resumes from {checkpoint}"


def _missing(mixture: Any) -> str:
    """Return what convergence asks for, and what there is instead."""
    if math.isfinite(mixture.gap_estimate_):
        if mixture.gap_estimate_ <= mixture.tol / 100:
            return (
                f"the predicted remaining gain is only {mixture.gap_estimate_:.1e} nats per row, "
                "but another iteration has to confirm it"
            )
        return (
            f"the predicted remaining gain is {mixture.gap_estimate_:.1e} nats per row, and "
            f"tol / 100 is {mixture.tol / 100:.1e}"
        )
    bounds = mixture.lower_bounds_
    change = f"{abs(bounds[-1] - bounds[-2]):.1e}" if len(bounds) > 1 else "not known"
    return f"the last change is {change}, the tolerance {mixture.tol:.1e}"
