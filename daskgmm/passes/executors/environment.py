"""Description of an environment. A worker runs this file's text: standard library only."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import platform
import sys
from contextlib import suppress
from functools import cache
from typing import Any


def environment(
    package: str, home: str, distributions: list[str], modules: list[str]
) -> dict[str, Any]:
    """Return the executable, versions, fault of an import, kernel, and modules that are lacking.

    Among the versions are the instructions of the CPU that are used.

    Tasks need the module `home` of the package; all values are plain.
    """
    versions, fault = {"Python": ".".join(platform.python_version_tuple()[:2])}, None
    kernel = None
    versions |= targets()
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


@cache
def targets() -> dict[str, str]:
    """Return the instructions that NumPy and its BLAS have chosen for this CPU.

    The last bits of exponentials, logarithms and products depend on them.
    """
    found = {}
    with suppress(Exception):
        numpy = importlib.import_module("numpy")
        simd = numpy.show_config(mode="dicts")["SIMD Extensions"]
        found["NumPy's instructions"] = [*simd.get("baseline", ()), *simd.get("found", ())][-1]
    with suppress(Exception):
        libraries = importlib.import_module("threadpoolctl").threadpool_info()
        names = {each["architecture"] for each in libraries if "architecture" in each}
        if names:
            found["BLAS's instructions"] = " and ".join(sorted(names))
    return found


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
