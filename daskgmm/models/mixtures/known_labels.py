"""How far the labels of a mixture agree with labels that are known, from one streamed read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import LABELS, Companions
from daskgmm.counting import counted
from daskgmm.em.survey.label_counts import check_labels, check_number
from daskgmm.em.survey.unsurveyed import map_unsurveyed
from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block
from daskgmm.markup.carded import Carded, Grid, Sheet
from daskgmm.models.facts.rand_index import adjusted_rand
from daskgmm.models.inputs.rows import feature_names
from daskgmm.models.inputs.target import Target
from daskgmm.models.mixtures.noisy_rows import rows_beside
from daskgmm.models.predictions.forms.in_memory import predict_values
from daskgmm.models.predictions.output import MISSING
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.predictions.scoring import with_noise
from daskgmm.passes.batches import Batch
from daskgmm.rows.companions.coded import UNKNOWN_CLASS
from daskgmm.rows.companions.noise import column_names
from daskgmm.rows.sources import source_of

OUTLIER = -1
"""Label of rows that belong to the noise, which are a group of their own."""

LISTED = 20
"""Known labels that are printed."""

WIDTH = 16
"""Characters of a known label that are printed."""

COLUMNS = 80
"""Characters of a line, at most."""


RAND = "adjusted Rand index"


@dataclass(frozen=True, eq=False, repr=False)
class LabelAgreement(Carded):
    """Agreement of a mixture with labels that are known; printed it is a report.

    Attributes
    ----------
    adjusted_rand : float
        1 if both are the same partition of the rows, whatever their names; about 0 if they have
        nothing to do with each other [1]_.
    rows : int
        Rows with a known label and one of the mixture.
    unknown : int
        Rows whose label is unknown: -1, NaN or null.
    missing : int
        Rows with a known label that miss a value, which the mixture leaves out.
    known : tuple
        The known labels that are there, sorted: texts or whole numbers.
    found : tuple of int
        Labels of the mixture: components, or clusters after `merge_components`; -1 are outliers.
    contingency : ndarray of int64, shape (known, found)
        Number of rows of each pair of labels.

    References
    ----------
    .. [1] L. Hubert, P. Arabie, "Comparing partitions", Journal of Classification 2 (1985) 193-218,
       https://doi.org/10.1007/BF01908075
    """

    adjusted_rand: float
    rows: int
    unknown: int
    missing: int
    known: tuple[Any, ...]
    found: tuple[int, ...]
    contingency: NDArray[np.int64]

    def as_dict(self) -> dict[str, Any]:
        """Return the attributes as what JSON holds."""
        names = ("adjusted_rand", "rows", "unknown", "missing", "known", "found")
        values = {name: getattr(self, name) for name in names}
        return {**values, "contingency": self.contingency.tolist()}

    def __repr__(self) -> str:
        return f"{self._rows()}\n{RAND}  {self.adjusted_rand:.4f}\n\n{self._table()}"

    def _sheet(self) -> Sheet:
        columns = _largest(self.contingency.sum(axis=0), LISTED)
        order = _largest(self.contingency.sum(axis=1), len(self.known))
        rows = [
            (str(self.known[i]), *(f"{self.contingency[i, j]:,}" for j in columns)) for i in order
        ]
        heads = self._heads()
        grid = Grid("Rows by label", ("known", *(heads[j] for j in columns)), rows)
        return Sheet(self._rows(), [(RAND, f"{self.adjusted_rand:.4f}")], [grid])

    def _rows(self) -> str:
        left = [(self.unknown, "without a known label"), (self.missing, "that miss a value")]
        out = ", ".join(f"{n:,} {how}" for n, how in left if n)
        return f"{counted(self.rows, 'row')}{f'; left out: {out}' if out else ''}"

    def _heads(self) -> list[str]:
        return ["out" if label == OUTLIER else str(label) for label in self.found]

    def _table(self) -> str:
        """Return the contingency table, as much of it as a terminal shows: the largest groups."""
        rows = _largest(self.contingency.sum(axis=1), LISTED)
        names = [_short(str(self.known[i])) for i in rows]
        first = max(map(len, ("known", *names)))
        heads = self._heads()
        widths = [
            2 + max(len(head), *(len(f"{n:,}") for n in column))
            for head, column in zip(heads, self.contingency[rows].T.tolist(), strict=True)
        ]
        # All are as wide as the widest, so that any of them fit.
        room = (COLUMNS - first) // max(widths)
        columns = _largest(self.contingency.sum(axis=0), room)
        lines = [f"{'known':<{first}}" + "".join(f"{heads[j]:>{widths[j]}}" for j in columns)]
        for name, i in zip(names, rows, strict=True):
            cells = (f"{self.contingency[i, j]:>{widths[j]},}" for j in columns)
            lines.append(f"{name:<{first}}{''.join(cells)}")
        hidden = [
            (len(self.known) - len(rows), "known labels"),
            (len(self.found) - len(columns), "labels of the mixture"),
        ]
        more = " and ".join(f"{n:,} more {what}" for n, what in hidden if n)
        return "\n".join([*lines, *([f"and {more}"] if more else [])])


@dataclass(slots=True)
class Counts:
    """Rows by their known label and that of the mixture.

    Attributes
    ----------
    pairs : dict of ndarray of int64, shape (groups,)
        Of each known label the rows of each group; the last one are outliers.
    unknown, missing : int
        Rows with neither label; `missing` have a known one, by that label.
    """

    pairs: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    unknown: int = 0
    missing: dict[int, int] = field(default_factory=dict)

    def add(self, other: Counts) -> None:
        """Add the counts of other rows; those stay as they are."""
        self.unknown += other.unknown
        for label, row in other.pairs.items():
            self.pairs[label] = self.pairs[label] + row if label in self.pairs else row
        for label, n in other.missing.items():
            self.missing[label] = self.missing.get(label, 0) + n
        check_number(self.pairs.keys() | self.missing.keys())


def label_agreement(
    mixture: Any, x: Any, labels: Any, noise_variance: Any = None
) -> LabelAgreement:
    """Return the agreement of labels with those of a fitted mixture.

    Raises
    ------
    DataError
        If no row has both labels, or a label is no class.
    """
    if labels is None:
        raise DataError("labels is None. Give a label for each row, or the name of a column.")
    features, predictor = feature_names(mixture), mixture._predictor()
    if features is not None:  # of what holds texts, only columns that are named are read
        features = (*features, *(column_names(noise_variance) or ()))
    target = Target.of(source_of(x), labels, features, LABELS)
    of_rows = target.source, Companions(None, target.labels), noise_variance
    rows, beside, predictor = rows_beside(mixture, predictor, *of_rows)
    merged = predictor.clusters
    groups = predictor.parameters.n_components if merged is None else 1 + max(merged)
    work, total = partial(_count, predictor, groups), Counts()
    for part in map_unsurveyed(predictor.dataset(rows, beside), work, "daskgmm_score"):
        total.add(part)
    # As in a fit, -1 is a class beside 1 alone, and else the label of unknown ones.
    if target.names is not None or {*total.pairs, *total.missing} != {UNKNOWN_CLASS, 1}:
        unknown = total.pairs.pop(UNKNOWN_CLASS, None)
        total.unknown += 0 if unknown is None else int(unknown.sum())
        total.unknown += total.missing.pop(UNKNOWN_CLASS, 0)
    values = sorted(total.pairs)
    table = np.array([total.pairs[value] for value in values], np.int64).reshape(-1, groups + 1)
    if not table.sum():
        raise DataError(
            "No row has both a known label and one of the mixture, so nothing can agree. Give "
            "labels of known classes."
        )
    found = (*range(groups), OUTLIER)
    if not table[:, -1].any():
        table, found = table[:, :-1], found[:-1]
    return LabelAgreement(
        adjusted_rand=adjusted_rand(table),
        rows=int(table.sum()),
        unknown=total.unknown,
        missing=sum(total.missing.values()),
        known=tuple(target.classes(np.array(values, np.int64)).tolist()),
        found=found,
        contingency=table,
    )


def _count(predictor: Predictor, groups: int, batch: Batch, blocks: Iterator[Block]) -> Counts:
    total, before = Counts(), 0
    outputs = ("label",) if predictor.clusters is None else ("cluster",)
    missing = MISSING if predictor.parameters.has_noise else -1
    for block in blocks:
        place, labels = Place.of(batch).after(before), block.beside.labels
        assert labels is not None, "they are given"
        known = labels == labels  # false for NaN alone
        check_labels(np.where(known, labels, UNKNOWN_CLASS), None, batch, before)
        found = predict_values(predictor, outputs, with_noise(block), place)[known]
        total.add(_of_block(labels[known].astype(np.int64), found, groups, missing))
        total.unknown += int((~known).sum())
        before += len(labels)
    return total


def _of_block(
    labels: NDArray[np.int64], found: NDArray[np.int64], groups: int, missing: int
) -> Counts:
    gone = found == missing
    values, places = np.unique(labels, return_inverse=True)
    there, width = ~gone, groups + 1
    # The label of outliers is -1, and so the last place.
    cells = places[there] * width + found[there] % width
    table = np.bincount(cells, minlength=len(values) * width).reshape(-1, width)
    lost = np.bincount(places[gone], minlength=len(values))
    pairs = {
        int(v): row for v, row in zip(values, table.astype(np.int64), strict=True) if row.any()
    }
    return Counts(pairs, 0, {int(v): int(n) for v, n in zip(values, lost, strict=True) if n})


def _largest(sizes: NDArray[np.int64], most: int) -> list[int]:
    """Return the places of the largest sizes, in their order."""
    largest: list[int] = sorted(np.argsort(-sizes, kind="stable")[:most].tolist())
    return largest


def _short(name: str) -> str:
    return name if len(name) <= WIDTH else f"{name[: WIDTH - 3]}..."
