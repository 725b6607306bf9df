"""The command line: fit, sweep, plan, predict, info, demo.

Results go to standard output, progress and messages to standard error. What is heavy to
import is imported where it is used, so that help and usage errors come at once.
"""

from __future__ import annotations

from daskgmm.cli.interrupting import at_once

with at_once():
    from daskgmm.cli.group import main

__all__ = ["main"]
