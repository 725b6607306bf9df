"""Reports of a sweep: its table as text and as CSV, and a picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daskgmm.drawing.style import NO_PLOTS
from daskgmm.errors import OutputError, SettingError
from daskgmm.names import FAILED, FITTED, SAMPLE
from daskgmm.report.listing import aligned
from daskgmm.storage.address import Address
from daskgmm.storage.local import check_place

if TYPE_CHECKING:
    from daskgmm.models.sweeps.result import Sweep

Table = Mapping[str, Sequence[Any]]

HEADINGS = "k", "covariance", "log lik.", "AIC", "BIC", "ICL", "held out", "s.e.", "status"
"""Of the printed table, which fits into 80 columns; what else is known is in its CSV."""


def checked_output(path: str, option: str, overwrite: bool) -> Path:
    """Return where a file goes; raise `OutputError` unless it may go there."""
    place = Path(path)
    check_place(place, path, OutputError, OutputError)
    if place.is_dir():
        raise OutputError(f"{path} is a folder. Name a file in it with {option}.")
    if place.exists() and not overwrite:
        raise OutputError(f"{path} exists. Choose another {option}, or add --overwrite.")
    return place


def check_picture(path: Path) -> None:
    """Raise unless a picture can be drawn, and the path is named as one."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError as error:
        raise OutputError(NO_PLOTS) from error
    known = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix[1:].lower() not in known:
        raise SettingError(
            f"{path} is not the name of a picture; give one such as {path.stem}.png."
        )


def written(content: bytes, path: Path, what: str) -> None:
    """Write a file, whole or not at all; raise `OutputError` that names it as `what`."""
    address = Address.of(path)
    advice = "Check that the folder is there and that you may write to it."
    with address.explain(OutputError, f"{what} cannot be written to {address}", advice):
        address.replace(content)


def picture(sweep: Sweep, criterion: str, suffix: str) -> bytes:
    """Return the plot of a criterion as the content of a file of that kind."""
    from matplotlib.figure import Figure

    # Without pyplot: there may be no display, and nothing is to stay open.
    figure = Figure(figsize=(7.2, 4.4), dpi=150, layout="constrained")
    sweep.plot(criterion, figure.add_subplot())
    content = io.BytesIO()
    figure.savefig(content, format=suffix[1:].lower())
    return content.getvalue()


def table_csv(table: Table) -> str:
    """Return the whole table as CSV; nan is left empty, as pandas has it."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(table)
    for row in zip(*table.values(), strict=True):
        writer.writerow(["" if isinstance(x, float) and math.isnan(x) else x for x in row])
    return content.getvalue()


def table_text(table: Table, best: int) -> str:
    """Return a line for each number of components and structure: its best start.

    Columns that are nan in all lines are left out.
    """
    rows = [_cells(table, index, index == best) for index in one_of_each(table, best)]
    # As the held-out likelihood where rows have gaps: there is none, of no model.
    known = [any(cell != "nan" for cell in column) for column in zip(*rows, strict=True)]
    kept = [list(compress(line, known)) for line in (["", *HEADINGS], *rows)]
    left = 0, kept[0].index("covariance"), len(kept[0]) - 1
    return aligned(kept, left)


def one_of_each(table: Table, best: int | None = None) -> list[int]:
    """Return the index of the reported model of each kind, in the order of kinds.

    It is `best`; or else the best by BIC among fitted models, preferably without degenerate
    components; or else the model of the best start, which is the first.
    """
    kinds = list(zip(table["covariance_type"], table["n_components"], strict=True))

    def worth(index: int) -> tuple[bool, bool, bool, float]:
        fitted, degenerate = table["status"][index] == FITTED, table["degenerate"][index] > 0
        return index != best, not fitted, degenerate, table["bic"][index] if fitted else 0.0

    return [
        min((i for i, other in enumerate(kinds) if other == kind), key=worth)
        for kind in dict.fromkeys(kinds)
    ]


def staying_text(table: Table) -> str:
    """Return a sentence on models that were beaten on the sample, and on starts that stayed."""
    starts = sum(status != FAILED for status in table["status"])
    pairs = zip(table["status"], table["passes"], strict=True)
    stayed = sum(status == SAMPLE and not passes for status, passes in pairs)
    beaten: dict[str, list[int]] = {}
    for index in one_of_each(table):
        if table["status"][index] == SAMPLE:
            sizes = beaten.setdefault(table["covariance_type"][index], [])
            sizes.append(table["n_components"][index])
    kinds = ", ".join(f"{structure} {ranges(sizes)}" for structure, sizes in beaten.items())
    sentence = f"Clearly beaten on the sample: {kinds}. " if beaten else ""
    return f"{sentence}Of all starts, {stayed} of {starts} stayed on the sample."


def ranges(sizes: Sequence[int]) -> str:
    """Return sizes as the command takes them, such as 1-3,7."""
    runs: list[list[int]] = []
    for size in sorted(sizes):
        if runs and size == runs[-1][-1] + 1:
            runs[-1].append(size)
        else:
            runs.append([size])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def doubtful_text(table: Table) -> str:
    """Return a line for each kind that could not be fitted, or is degenerate, with the reason."""
    failed = [i for i, status in enumerate(table["status"]) if status == FAILED]
    degenerate = [i for i in one_of_each(table) if table["degenerate"][i]]
    lines = [(i, "Failed: {}. {}") for i in failed]
    lines += [(i, "Degenerate components of {}, {}") for i in degenerate]
    return "\n".join(
        line.format(f"{table['n_components'][i]} {table['covariance_type'][i]}", table["reason"][i])
        for i, line in lines
    )


def _cells(table: Table, index: int, best: bool) -> list[str]:
    def text(name: str, pattern: str = "") -> str:
        return format(table[name][index], pattern)

    return [
        "*" if best else " ",
        text("n_components"),
        text("covariance_type"),
        text("log_likelihood", ".4f"),
        *(text(name, ".1f") for name in ("aic", "bic", "icl")),
        text("heldout", ".4f"),
        text("heldout_se", ".4f"),
        _status(table, index),
    ]


def _status(table: Table, index: int) -> str:
    """Return the status, with what its own columns of the table say beside it."""
    status, degenerate = table["status"][index], table["degenerate"][index]
    words = [status, f"{degenerate} degenerate" if degenerate else ""]
    if status == FITTED and not table["converged"][index]:
        words.insert(1, "not converged")
    return ", ".join(filter(None, words))
