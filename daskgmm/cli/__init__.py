"""The command line: fit, sweep, plan, predict, info, demo.

Results go to standard output, progress and messages to standard error. What is heavy to
import is imported where it is used, so that help and usage errors come at once.
"""

from __future__ import annotations

from daskgmm.cli.interrupting import at_once, end_at_once

with at_once():
    from daskgmm.cli.group import main

__all__ = ["main", "run"]


def run() -> None:
    """Run the program, which ends the process."""
    try:
        main(prog_name="daskgmm")
    finally:
        end_at_once()
