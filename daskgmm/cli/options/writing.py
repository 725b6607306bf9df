"""Options of commands that write what a model says of rows, to Zarr or Parquet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.options.common import Command, added
from daskgmm.cli.options.completing import NewPlace
from daskgmm.cli.options.data import names_in
from daskgmm.cli.options.importing import IMPORT
from daskgmm.cli.options.workers import running
from daskgmm.models.writers.naming import check_predictions_name
from daskgmm.names import FLOATS
from daskgmm.storage.masking import shown


def cut_in(value: str) -> int | dict[str, int]:
    """Return the length in a text such as 100000, or the lengths by dimension in y=512,x=512."""
    if value.isdecimal() and int(value) > 0:
        return int(value)
    lengths: dict[str, int] = {}
    for part in value.split(","):
        dim, _, length = (text.strip() for text in part.rpartition("="))
        if not dim or dim in lengths or not length.isdecimal() or int(length) < 1:
            raise click.BadParameter(
                f"{value} is not a cut; give a number of rows, or lengths such as y=512,x=512."
            )
        lengths[dim] = int(length)
    return lengths


OUT = click.option(
    "--out", "-o", required=True, type=NewPlace(check_predictions_name),
    metavar="OUT",
    help="Zarr group to write, a path or URL; Parquet if it ends in .parquet.",
)  # fmt: skip
CHUNKS = options.several(
    "--chunks", metavar="CUT", parse=cut_in,
    help=(
        "Rows per chunk, for example 100000, or lengths such as y=512,x=512.  [default: the "
        "chunks of DATA]"
    ),
)  # fmt: skip
SHARDS = options.several(
    "--shards", metavar="CUT", parse=cut_in,
    help="Rows or lengths of a shard, in whole chunks.  [default: no shards]",
)  # fmt: skip
KEY = options.several(
    "--key", metavar="NAMES", parse=names_in,
    help="Columns of DATA to copy to OUT, where OUT is Parquet.",
)  # fmt: skip


def cuts(command: Command) -> Command:
    """Add how what is written is cut, and what stays beside it."""
    return added(command, CHUNKS, SHARDS, KEY)


def writing(command: Command) -> Command:
    """Add what commands that read rows and write have at their end."""
    return running(added(command, IMPORT, options.overwrite, options.quiet))


def float_dtype(default: str) -> Callable[..., Any]:
    """Return the option of the type of real numbers that a command writes."""
    return click.option(
        "--dtype", type=click.Choice(FLOATS), default=default, show_default=True,
        help="Type of the numbers in OUT.",
    )  # fmt: skip


def check_format(out: str, data: str, settings: dict[str, Any]) -> bool:
    """Return whether OUT is to be Parquet; refuse options of the other format."""
    from daskgmm.models.writers.naming import check_zarr_name
    from daskgmm.models.writers.parquet_target import is_parquet_target
    from daskgmm.rows.sources import source_of

    if not is_parquet_target(out):
        check_zarr_name(out)
        if settings.pop("key") is not None:
            raise click.UsageError(
                f"--key is for Parquet, and {shown(out)} will be Zarr. Name --out as Parquet, such "
                "as labels.parquet."
            )
        return False
    cuts = [settings.pop("chunks"), settings.pop("shards")]
    if any(cut is not None for cut in cuts):
        raise click.UsageError(
            f"--chunks and --shards are for Zarr, and {shown(out)} will be Parquet."
        )
    if not source_of(data).keyed:
        raise click.UsageError(
            f"Parquet is written of the rows of tables (Parquet, CSV), and {shown(data)} is none. "
            "Name --out as Zarr, such as labels.zarr."
        )
    return True
