"""``daskgmm info``."""

from __future__ import annotations

from pathlib import Path

import click

from daskgmm.cli.command import command
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.completing import PlaceOrUnfinished
from daskgmm.cli.options.data import AddressOf, addressing
from daskgmm.cli.options.importing import IMPORT
from daskgmm.cli.reporting import tell
from daskgmm.models.writers.partial_places import target_of

DOCUMENTS = (".json", ".ckpt", ".checkpoint")
"""Ends of URLs of models and checkpoints; at local paths the file is looked at."""


@command(
    short_help="Describe a model file, a checkpoint, data or predictions.",
    example="daskgmm info model.json",
)
@click.argument("path", type=PlaceOrUnfinished())
@click.option(
    "--gaps", is_flag=True,
    help=(
        "Also count missing values that take a read of the data: in large or remote Zarr, NetCDF "
        "and .npy data, and NaN in Parquet."
    ),
)  # fmt: skip
@addressing
@IMPORT
def info(path: str, gaps: bool, address: AddressOf) -> None:
    """Describe PATH: a model file, a checkpoint, predictions, or data.

    Of predictions that a run has not finished, it tells how many batches are written, when the run
    was begun, and how to resume it. Data are those of Zarr, Parquet, NetCDF, CSV or .npy files.
    """
    with at_once():
        from daskgmm.models.classifying.loading import load_fitted
        from daskgmm.models.fitting.estimator import MixtureEstimator
        from daskgmm.models.signed_file import is_checkpoint
        from daskgmm.progress import show_pass
        from daskgmm.report.checkpoint import describe_checkpoint
        from daskgmm.report.data import describe_data
        from daskgmm.report.model import describe_classifier, describe_model
        from daskgmm.report.unfinished import describe_unfinished

    place = address(path)
    alone = target_of(path) != path.rstrip("/") or not ("://" in path or Path(path).exists())
    unfinished = describe_unfinished(place) if alone else None
    if unfinished is not None:
        tell(unfinished)
        return
    if is_document(path):
        if is_checkpoint(place):
            tell(describe_checkpoint(place, path))
            return
        fitted = load_fitted(place)
        if isinstance(fitted, MixtureEstimator):
            tell(describe_model(fitted, path))
        else:
            tell(describe_classifier(fitted, path))
    else:
        with show_pass("gaps") as progress:
            told = describe_data(place, gaps=gaps, progress=progress)
        tell(told)


def is_document(path: str) -> bool:
    """Return whether a path or URL is that of a file whose name says of no format of data."""
    if "://" not in path:
        return Path(path).is_file() and not path.lower().endswith(not_models())
    return path.lower().endswith(DOCUMENTS)


def not_models() -> tuple[str, ...]:
    """Return how files end that are data."""
    from daskgmm.rows.sources import SOURCES

    return (".zip", *(suffix for kind in SOURCES for suffix in kind.suffixes))
