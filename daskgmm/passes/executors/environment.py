"""What an environment has. A worker runs the text of this file: so the standard library only."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import platform
import sys
from contextlib import suppress
from typing import Any


def environment(
    package: str, home: str, distributions: list[str], modules: list[str]
) -> dict[str, Any]:
    """Return what is installed where this runs, as a dict of plain values.

    Parameters
    ----------
    package : str
        That must be there, with a ``__version__``.
    home : str
        Its module that tasks need.
    distributions : list of str
        Whose versions are asked for.
    modules : list of str
        That are looked for.

    Returns
    -------
    dict
        executable; versions by name, without what is not installed; fault: why the package cannot
        be imported, or None; lacking: which of the modules are not there.
    """
    versions, fault = {"Python": ".".join(platform.python_version_tuple()[:2])}, None
    for name in distributions:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    try:
        versions[package] = importlib.import_module(package).__version__
        importlib.import_module(home)
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
    return {
        "executable": sys.executable,
        "versions": versions,
        "fault": fault,
        "lacking": [name for name in modules if not _is_there(name)],
    }


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
