"""pyarrow, with which tables are read, where it is installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from daskgmm.errors import SourceError


def require(package: str) -> Any:
    """Import a module of pyarrow; raise `SourceError` with the command that installs it."""
    try:
        return import_module(package)
    except ImportError as error:
        raise SourceError(
            f"Tables are read with pyarrow, which cannot be imported ({error}). Install it: "
            "pip install 'daskgmm[parquet]'"
        ) from error
