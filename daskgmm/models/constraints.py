"""Constraints of settings that scikit-learn has not: names that stand in a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.utils._param_validation import StrOptions


class KeysOf(StrOptions):  # type: ignore[misc]  # scikit-learn has no types
    """The names in a table, looked up when a value is checked: entries may be added to it."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._table = table
        super().__init__(set(table))

    def is_satisfied_by(self, val: Any) -> bool:
        """Return whether a value is one of the names."""
        return isinstance(val, str) and val in self._table

    def __str__(self) -> str:
        self.options = set(self._table)
        return str(super().__str__())
