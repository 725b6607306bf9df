"""``daskgmm info``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Say what a model file or an array is.")
@click.argument("path")
def info(path: str) -> None:
    """Say what PATH is: a model file, a Zarr array or a .npy file."""
    from daskgmm.describe import describe_array, describe_model
    from daskgmm.models.model_file import load_model
    from daskgmm.rows.opening import open_path

    if Path(path).is_file() and Path(path).suffix not in (".npy", ".zip"):
        click.echo(describe_model(load_model(path), path))
    else:
        click.echo(describe_array(open_path(path), path))
