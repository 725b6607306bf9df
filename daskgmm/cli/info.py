"""``daskgmm info``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from daskgmm.cli import options

NOT_MODELS = (".npy", ".zip", ".parquet", ".pq")


@click.command(short_help="Say what a model file or an array is.")
@click.argument("path")
@options.storage_options
def info(path: str, storage_options: dict[str, Any] | None) -> None:
    """Say what PATH is: a model file, a Zarr array or a .npy file."""
    from daskgmm.describe import describe_array, describe_model
    from daskgmm.files import is_url
    from daskgmm.models.model_file import load_model
    from daskgmm.rows.opening import open_data

    url_of_model = is_url(path) and path.endswith(".json")
    if url_of_model or (Path(path).is_file() and Path(path).suffix not in NOT_MODELS):
        click.echo(describe_model(load_model(path, storage_options), path))
    else:
        click.echo(describe_array(open_data(path, storage_options), path))
