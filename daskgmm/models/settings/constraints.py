"""Constraints of settings that scikit-learn has not."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from daskgmm.gaussian.covariance.structures import structure_name
from daskgmm.names import NAMES_OF_MCLUST


class KeysOf(StrOptions):  # type: ignore[misc]  # scikit-learn has no types
    """The names in tables, looked up when a value is checked: entries may be added to them."""

    def __init__(self, *tables: Mapping[str, Any]) -> None:
        self._tables = tables
        super().__init__(set().union(*tables))

    def is_satisfied_by(self, val: Any) -> bool:
        """Return whether a value is one of the names."""
        return isinstance(val, str) and any(val in table for table in self._tables)

    def __str__(self) -> str:
        self.options = [name for table in self._tables for name in table]  # in their order
        return str(super().__str__())


class OfTypesIn(StrOptions):  # type: ignore[misc]
    """An instance of a class that has an entry in a table: files make it again by its name."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._table = table
        super().__init__(set(table))

    def is_satisfied_by(self, val: Any) -> bool:
        """Return whether a value is of one of the classes."""
        return type(val) in {type(entry) for entry in self._table.values()}

    def __str__(self) -> str:
        return " or ".join(f"a {type(entry).__name__}" for entry in self._table.values())


class StructureNames(KeysOf):
    """The names of covariance structures in a table, and those that mclust has for some."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Return whether a value names a structure in the table."""
        return isinstance(val, str) and super().is_satisfied_by(structure_name(val))

    def __str__(self) -> str:
        others = " and ".join(
            f"{name!r} for {known!r}"
            for name, known in NAMES_OF_MCLUST.items()
            if self.is_satisfied_by(known)
        )
        return f"{super().__str__()}, or a name of mclust ({others})"


class Axes(Interval):  # type: ignore[misc]
    """A number of principal axes, or a part of the variance; True, a 1 to Python, is neither."""

    def __init__(self) -> None:
        super().__init__(Real, 0, None, closed="neither")

    def is_satisfied_by(self, val: Any) -> bool:
        """Return whether a value is one of the two, of Python's types or NumPy's."""
        if isinstance(val, bool) or not isinstance(val, Real):
            return False
        return bool(val in self and (isinstance(val, Integral) or val < 1.0))

    def __str__(self) -> str:
        return (
            "a number of axes (an int from 1 on), a part of the variance to explain (a float "
            "between 0 and 1, such as 0.99; True is neither)"
        )


def plain_axes(pca: Any) -> int | float | None:
    """Return a value that is satisfactory as one of Python's types; None for None."""
    if pca is None:
        return None
    return int(pca) if isinstance(pca, Integral) else float(pca)
