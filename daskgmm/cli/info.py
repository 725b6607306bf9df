"""``daskgmm info``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import daskgmm.cli.options as options
from daskgmm.cli.importing import IMPORT


@click.command(short_help="Say what a model file, data or predictions are.")
@click.argument("path")
@options.storage_options
@IMPORT
def info(path: str, storage_options: dict[str, Any] | None) -> None:
    """Say what PATH is: a model, or Zarr, Parquet, NetCDF or .npy data, or predictions."""
    from daskgmm.describe import describe_model
    from daskgmm.files import is_url
    from daskgmm.models.model_file import load_model

    url_of_model = is_url(path) and path.endswith(".json")
    if url_of_model or (Path(path).is_file() and not path.endswith(not_models())):
        click.echo(describe_model(load_model(path, storage_options), path))
    else:
        click.echo(described(path, storage_options))


def not_models() -> tuple[str, ...]:
    """Return how files end that are data."""
    from daskgmm.rows import labelled_opening, parquet_files

    return (".npy", ".zip", *parquet_files.SUFFIXES, *labelled_opening.SUFFIXES)


def described(path: str, storage_options: dict[str, Any] | None) -> str:
    """Return what data or predictions are."""
    import zarr

    from daskgmm.describe_data import (
        describe_array,
        describe_dataset,
        describe_group,
        describe_parquet,
    )
    from daskgmm.rows.labelled_opening import is_labelled_file, open_file
    from daskgmm.rows.opening import open_rows
    from daskgmm.rows.parquet_files import is_parquet
    from daskgmm.rows.zarr_opening import open_node

    if is_parquet(path):
        return describe_parquet(path, storage_options)
    if is_labelled_file(path):
        return describe_dataset(open_file(path), path)
    if path.endswith(".npy"):
        return describe_array(open_rows(path, storage_options), path)
    node = open_node(path, storage_options)
    if isinstance(node, zarr.Group):
        return describe_group(node, path, storage_options)
    return describe_array(node, path)
