"""Where predictions are until they are whole: names alone, without the libraries that write."""

from __future__ import annotations

from pathlib import Path

PARTIAL = ".partial"
"""What is added to the name of a local target for the folder in which it is written."""

JOURNAL = ".progress.json"
"""What is added to the name of a target for that of its journal, a file beside it: as long as there
is one, the target is not whole."""


def target_of(path: str) -> str:
    """Return the target of a path or URL that may be that of its partial folder, or its journal."""
    return path.rstrip("/").removesuffix(JOURNAL).removesuffix(PARTIAL)


def is_unfinished(path: str) -> bool:
    """Return whether a run that has not ended writes a local target, given by any of its paths."""
    return "://" not in path and Path(f"{target_of(path)}{PARTIAL}{JOURNAL}").expanduser().exists()
