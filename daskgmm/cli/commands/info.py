"""``daskgmm info``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.completing import PLACE
from daskgmm.cli.options.importing import IMPORT
from daskgmm.cli.reporting import tell


@command(
    short_help="Describe a model file, a checkpoint, data or predictions.",
    example="daskgmm info model.json",
)
@click.argument("path", type=PLACE)
@click.option(
    "--gaps", is_flag=True,
    help=(
        "Also count missing values that take a read of the data: in large or remote Zarr, NetCDF "
        "and .npy data, and NaN in Parquet."
    ),
)  # fmt: skip
@options.storage_options
@IMPORT
def info(path: str, gaps: bool, storage_options: dict[str, Any] | None) -> None:
    """Describe PATH: a model file, a checkpoint, predictions, or data.

    Data are those of Zarr, Parquet, NetCDF, CSV or .npy files.
    """
    with at_once():
        from daskgmm.models.classifying.loading import load_fitted
        from daskgmm.models.fitting.estimator import MixtureEstimator
        from daskgmm.progress import show_pass
        from daskgmm.report.checkpoint import describe_checkpoint, is_checkpoint
        from daskgmm.report.data import describe_data
        from daskgmm.report.model import describe_classifier, describe_model
        from daskgmm.storage.address import Address

    url_of_model = "://" in path and path.endswith(".json")
    if url_of_model or (Path(path).is_file() and not path.lower().endswith(not_models())):
        address = Address.of(path, storage_options)
        if is_checkpoint(address):
            tell(describe_checkpoint(address, path))
            return
        fitted = load_fitted(path, storage_options)
        if isinstance(fitted, MixtureEstimator):
            tell(describe_model(fitted, path))
        else:
            tell(describe_classifier(fitted, path))
    else:
        with show_pass("gaps") as progress:
            told = describe_data(path, storage_options, gaps=gaps, progress=progress)
        tell(told)


def not_models() -> tuple[str, ...]:
    """Return how files end that are data."""
    from daskgmm.rows.sources import SOURCES

    return (".zip", *(suffix for kind in SOURCES for suffix in kind.suffixes))
