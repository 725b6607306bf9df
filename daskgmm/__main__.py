"""``python -m daskgmm``."""

from __future__ import annotations

from daskgmm.cli.group import main

main(prog_name="daskgmm")
