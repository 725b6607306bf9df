"""``daskgmm info``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from daskgmm.cli import options


@click.command(short_help="Say what a model file or an array is.")
@click.argument("path")
@options.storage_options
def info(path: str, storage_options: dict[str, Any] | None) -> None:
    """Say what PATH is: a model file, a Zarr array or a .npy file."""
    from daskgmm.describe import describe_array, describe_model
    from daskgmm.models.model_file import load_model
    from daskgmm.rows.opening import open_data

    if Path(path).is_file() and Path(path).suffix not in (".npy", ".zip"):
        click.echo(describe_model(load_model(path), path))
    else:
        click.echo(describe_array(open_data(path, storage_options), path))
