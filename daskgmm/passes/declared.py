"""Errors about missing values say which stored numbers were taken as missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from daskgmm.errors import DataError
from daskgmm.rows.rows import Rows


@contextmanager
def naming_missing(rows: Rows, weights: Rows | None) -> Iterator[None]:
    """Add to an error about NaN what stands for it where rows or weights are stored."""
    try:
        yield
    except DataError as error:
        for name, source in (("X", rows), ("sample_weight", weights)):
            told = None if source is None else source.taken_as_missing
            if told is not None and str(error).startswith(f"Input {name} contains NaN"):
                raise DataError(f"{error} NaN stands for {told}.") from error
        raise
