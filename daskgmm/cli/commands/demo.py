"""``daskgmm demo``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.completing import PLACE
from daskgmm.cli.reporting import tell


@command(example="daskgmm demo --out daskgmm-demo")
@click.option(
    "--out", "-o", type=PLACE, default="daskgmm-demo", show_default=True, help="Folder to write."
)
@click.option(
    "--image", type=click.Choice(["china.jpg", "flower.jpg"]), default="flower.jpg",
    show_default=True, help="Photograph to segment; scikit-learn ships both.",
)  # fmt: skip
@click.option(
    "--components", "-k", type=click.IntRange(1), default=5, show_default=True,
    help="Number of components.",
)  # fmt: skip
@options.quiet
def demo(out: str, image: str, components: int, quiet: bool) -> None:
    """Segment a photograph: pixels to Zarr, fit, labels, picture."""
    with at_once():
        from daskgmm.demo import run_demo

    story = run_demo(Path(out), image, components, program(), quiet=quiet)
    if not quiet:
        tell(story)


def program() -> str:
    """Return what to type to run this program: its path, unless the shell finds it."""
    path = Path(sys.argv[0])
    if path.name != "daskgmm" or shutil.which("daskgmm") == str(path.absolute()):
        return "daskgmm"
    return str(path)
