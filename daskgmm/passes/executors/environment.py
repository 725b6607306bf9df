"""Description of an environment. A worker runs this file's text: standard library only."""

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
    """Return the executable, versions, fault of an import, kernel, and modules that are lacking.

    Tasks need the module `home` of the package; all values are plain.
    """
    versions, fault = {"Python": ".".join(platform.python_version_tuple()[:2])}, None
    kernel = None
    for name in distributions:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    try:
        versions[package] = importlib.import_module(package).__version__
        importlib.import_module(home)
        kernel = importlib.import_module(f"{package}.gaussian.kernels.backends").default_backend()
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
    return {
        "executable": sys.executable,
        "versions": versions,
        "fault": fault,
        "kernel": kernel,
        "lacking": [name for name in modules if not _is_installed(name)],
    }


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
