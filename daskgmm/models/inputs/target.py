"""What users give as y: numbers of classes wherever they are, or names of classes.

Names are in memory, or texts in a column of a table: Parquet, CSV, Polars or Arrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import column_or_1d

from daskgmm.em.survey.label_counts import distinct_texts
from daskgmm.errors import DataError
from daskgmm.rows.checks.plain import unmasked
from daskgmm.rows.companions.coded import UNKNOWN_CLASS
from daskgmm.rows.kinds.memory import Memory
from daskgmm.rows.source import Source
from daskgmm.rows.sources import source_of
from daskgmm.rows.tables.frames import check_no_texts, is_dask_frame

Values = NDArray[Any]

WHOLE = "a whole number, and -1 or NaN where the class of a row is unknown"
"""What a label is that is a number."""


@dataclass(frozen=True, slots=True)
class Target:
    """Labels as a fit takes them.

    Attributes
    ----------
    source : Source
        X, without a column of names.
    labels : object
        Numbers, as `sample_weight` may be given.
    names : ndarray of shape (c,), or None
        Sorted names of classes, whose places the labels are; None if these are numbers.
    dtype : numpy.dtype or None
        That of numbers in memory.
    """

    source: Source
    labels: Any
    names: Values | None = None
    dtype: np.dtype[Any] | None = None

    @classmethod
    def of(
        cls, source: Source, y: Any, features: Sequence[str] | None = None, argument: str = "y"
    ) -> Target:
        """Return the labels that y is; X has the columns `features`, by default all others.

        `argument` is named in errors.

        Raises
        ------
        DataError
            If y is none, or holds measurements.
        """
        if y is None:
            raise DataError(
                "A GaussianMixtureClassifier requires y to be passed, but the target y is None. "
                "Give a label for each row, -1 or NaN where its class is unknown; without any "
                "label, fit a GaussianMixture."
            )
        if isinstance(y, str) and source.validated:
            found = source.split(y, None, argument)
            if found is None:
                return cls(source, y)
            source, own = found
            y = own.x
        elif isinstance(y, str) and (split := source.texts(y, features)) is not None:
            source, texts = split
            names = distinct_texts(texts)
            return cls(source, texts.among(names), np.array(names, object))
        if not in_memory(y):
            if is_dask_frame(y) and y.ndim == 1:
                check_no_texts(y)
            return cls(source, y)
        values = _checked(y, argument)
        if values.dtype.kind in "iuf":
            return cls(source, values, dtype=values.dtype)
        return cls(source, *_encoded(values))

    def classes(self, values: NDArray[np.int64]) -> Values:
        """Return the classes of labels with these values."""
        if self.names is not None:
            return self.names[values]
        dtype = np.dtype(np.int64) if self.dtype is None else self.dtype
        return values.astype(dtype if dtype.kind in "iu" else np.int64)


def in_memory(y: Any) -> bool:
    """Return whether y is an array, a series or a list of single values."""
    if isinstance(y, (np.memmap, str)):
        return False
    if isinstance(y, (np.ndarray, pd.Series, pd.DataFrame)):
        return True
    if isinstance(y, (list, tuple)):
        single = (not hasattr(part, "ndim") or isinstance(part, np.generic) for part in y)
        return all(single) and not any(np.ndim(part) for part in y)
    return type(source_of(y)) is Memory


def _as_array(y: list[Any] | tuple[Any, ...]) -> Values:
    """Return labels of a list; a NaN among names stays NaN, and is not the name "nan"."""
    values = np.asarray(y)
    return values if values.dtype.kind in "biuf" else np.asarray(y, object)


def _checked(y: Any, argument: str) -> Values:
    """Return labels in memory as one axis; raise `DataError` for measurements."""
    if isinstance(y, (list, tuple)):
        y = _as_array(y)
    y = unmasked(y, argument)
    if getattr(getattr(y, "dtype", None), "kind", "") == "c":
        raise DataError(
            f"Complex data not supported: {argument} has dtype {y.dtype}. A label is {WHOLE}."
        )
    values = np.asarray(column_or_1d(y, warn=True))
    if values.dtype.kind == "O":
        known = values[~pd.isna(values)]
        if all(isinstance(value, (int, float, np.number)) for value in known):
            values = np.asarray(pd.to_numeric(values), np.float64)
    missing = np.asarray(pd.isna(values))
    if len(values) and missing.all():
        raise DataError(
            f"Input {argument} contains NaN alone: the class of no row is known. Fit a "
            "GaussianMixture."
        )
    if values.dtype.kind == "f":
        _check_whole(values, missing, argument)
    else:
        _check_names(values[~missing], argument)
    return values


def _check_whole(values: Values, missing: Values, argument: str) -> None:
    """Raise `DataError` at the first number that is not whole: its row is named."""
    if np.isinf(values).any():
        raise DataError(
            f"Input {argument} contains infinity or a value too large for dtype('float64'). A "
            f"label is {WHOLE}."
        )
    odd = ~missing & (values != np.rint(values))
    if odd.any():
        row = int(np.argmax(odd))
        raise DataError(
            f"Input {argument} contains {values[row]:g} in row {row}. Unknown label type: a label "
            f"is {WHOLE}."
        )


def _check_names(known: Values, argument: str) -> None:
    """Raise `DataError` for known labels that are neither whole numbers nor texts."""
    if known.dtype.kind in "biuU" or not len(known):
        return
    kinds = {type(value) for value in known.tolist()}
    if all(issubclass(kind, str) for kind in kinds):
        return
    if all(issubclass(kind, (str, int, float, np.number)) for kind in kinds):
        raise DataError(
            f"{argument} mixes names and numbers, which have no order. Give either, with None or "
            "NaN where the class of a row is unknown."
        )
    odd = next(value for value in known.tolist() if not isinstance(value, (str, int, float)))
    raise DataError(
        f"{argument} contains {odd!r}. Unknown label type: a label is a whole number or a text, "
        "and -1, None or NaN where the class of a row is unknown. Make texts of others: "
        f"[str(label) for label in {argument}]."
    )


def _encoded(values: Values) -> tuple[NDArray[np.int64], Values]:
    """Return the places of names among the sorted ones, -1 of missing ones, and these."""
    missing = np.asarray(pd.isna(values))
    names, places = np.unique(values[~missing], return_inverse=True)
    labels = np.full(len(values), UNKNOWN_CLASS, np.int64)
    labels[~missing] = places
    return labels, names
