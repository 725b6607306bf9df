"""Modules that have been imported, to their end."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType


def loaded(name: str) -> ModuleType | None:
    """Return a module if it has been imported, else None.

    While another thread imports it, `sys.modules` has it without what it will define: the import
    here waits for that.
    """
    return None if sys.modules.get(name) is None else import_module(name)
