"""Warnings that point at the line of the user's, however deep in here their cause is found."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from types import FrameType

PACKAGE = f"{Path(__file__).parent}{os.sep}"


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost call that was made outside this package."""
    # From Python 3.12 on: skip_file_prefixes of warnings.warn.
    level = 1
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
