"""Labels of rows in a fit: what they are, and the classes of components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.companions import LABELS, Companions
from daskgmm.em.settings import Settings
from daskgmm.em.survey.label_counts import LabelCounts, count_labels
from daskgmm.em.survey.labelling import Labelling
from daskgmm.errors import DataError, SettingError
from daskgmm.passes.configuration import backend
from daskgmm.rows.companions.coded import coded_rows
from daskgmm.rows.companions.of_columns import not_numbers
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.tables.text_columns import TEXT


@dataclass(frozen=True, slots=True)
class KnownClasses:
    """Labels that were counted, and the class of each component.

    Attributes
    ----------
    labels : LabelCounts
    of_components : tuple of int, length k
        Places of `labels.values`.
    """

    labels: LabelCounts
    of_components: tuple[int, ...]


def check_no_texts(source: Source, labels: Any) -> None:
    """Raise `DataError` for a column of texts, which name no components."""
    if isinstance(labels, str) and source.texts(labels) is not None:
        raise not_numbers(LABELS, labels, TEXT)


def with_labels_of_sizes(
    beside: Companions[Rows], settings: Sequence[Settings]
) -> tuple[Companions[Rows], tuple[Settings, ...]]:
    """Return labels as codes of components, and the settings of a sweep with them.

    Raises
    ------
    DataError
        If a label is no component of the largest mixture: it names the row.
    SettingError
        If one is no component of the smallest.
    """
    if beside.labels is None:
        return beside, tuple(settings)
    _check_backend()
    sizes = sorted({each.n_components for each in settings})
    found = count_labels(beside.labels, sizes[-1])
    if not len(found.values):
        return replace(beside, labels=None), tuple(settings)
    named = int(found.values[-1]) + 1
    if named > sizes[0]:
        raise SettingError(
            f"n_components begins at {sizes[0]}, and labels name {named} components, 0 to "
            f"{named - 1}. Sweep from {named} on."
        )

    def labelled(chosen: Settings) -> Settings:
        every = np.arange(chosen.n_components)
        return replace(chosen, labelling=Labelling(tuple(every.tolist()), found.all_of(every)))

    return _coded(beside, beside.labels, found, np.arange(named)), tuple(map(labelled, settings))


def with_labels(
    beside: Companions[Rows], settings: Settings, known: KnownClasses | None = None
) -> tuple[Companions[Rows], Settings]:
    """Return labels as codes of classes, and the settings of a fit with them.

    Where no classes are known, labels name components. Without a known label both are those of a
    fit without labels.
    """
    if beside.labels is None:
        return beside, settings
    _check_backend()
    if known is None:
        k = settings.n_components
        found, values, classes = count_labels(beside.labels, k), np.arange(k), tuple(range(k))
    else:
        found, values, classes = known.labels, known.labels.values, known.of_components
    if not len(found.values):
        return replace(beside, labels=None), settings
    labelling = Labelling(classes, found.all_of(values))
    coded = _coded(beside, beside.labels, found, values)
    return coded, replace(settings, labelling=labelling)


def labels_of_components(labels: Rows, k: int) -> Rows | None:
    """Return labels of rows that a fitted mixture of k components sees, -1 where unknown.

    None if none is known. They are checked in a pass over them alone; raises `DataError` at the
    first one that is no component.
    """
    _check_backend()
    found = count_labels(labels, k)
    return coded_rows(labels, np.arange(k)) if len(found.values) else None


def _coded(
    beside: Companions[Rows], labels: Rows, found: LabelCounts, values: NDArray[np.intp]
) -> Companions[Rows]:
    """Return companions with labels as places of sorted values, known by the digest of all."""
    codes = coded_rows(labels, values)
    codes.content = found.content  # few rows of them are compared else
    return replace(beside, labels=codes)


def check_room(weights: Array | None, labelling: Labelling | None) -> None:
    """Raise `SettingError` for first weights that leave no room for rows whose class is known."""
    if weights is None or labelling is None:
        return
    classes = np.asarray(labelling.classes)
    for known, count in enumerate(labelling.counts[:-1]):
        own = np.flatnonzero(classes == known)
        if count and not weights[own].any():
            raise SettingError(
                f"weights_init is 0 for component {', '.join(map(str, own))}, and labels say that "
                f"{count} rows are of it. Give a weight above 0."
            )


def _check_backend() -> None:
    """Raise `DataError` for a back end that would take labelled rows for others."""
    if not backend().takes_labels:
        raise DataError(
            "The back end (daskgmm.backend) takes no labels of rows. Set it to 'numpy', or fit "
            "without labels."
        )
