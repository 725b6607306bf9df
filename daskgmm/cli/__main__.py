"""``python -m daskgmm.cli``."""

from __future__ import annotations

from daskgmm.cli import run

run()
