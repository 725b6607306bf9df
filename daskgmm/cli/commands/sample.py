"""``daskgmm sample``."""

from __future__ import annotations

from typing import Any

import click

from daskgmm.cli.command import command
from daskgmm.cli.models import mixture_in
from daskgmm.cli.options.completing import PLACE, NewPlace
from daskgmm.cli.options.data import AddressOf, addressing
from daskgmm.cli.options.workers import Workers
from daskgmm.cli.options.writing import writing
from daskgmm.cli.places import check_apart
from daskgmm.cli.reporting import tell
from daskgmm.models.writers.naming import check_array_name
from daskgmm.names import FLOATS


def rows_in(context: click.Context, option: click.Parameter, value: str) -> int:
    """Return the number of rows in a text such as 1000000 or 1e6."""
    try:
        rows = float(value)
    except ValueError:
        rows = 0.0
    if not (rows >= 1 and rows.is_integer()):
        raise click.BadParameter(f"{value!r} is not a number of rows; give one such as 1e6.")
    return int(rows)


@command(
    short_help="Draw rows from a mixture and write a Zarr array.",
    example="daskgmm sample model.json --rows 1e6 --out drawn.zarr",
)
@click.argument("model", type=PLACE)
@click.option(
    "--out",
    "-o",
    required=True,
    type=NewPlace(check_array_name),
    metavar="OUT",
    help="Zarr array to write, a path or URL.",
)
@click.option(
    "--rows", "n_samples", required=True, metavar="N", callback=rows_in,
    help="Number of rows, for example 1000000 or 1e6.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0),
    help="Seed of the rows.  [default: the random_state of MODEL, or a random one]",
)  # fmt: skip
@click.option(
    "--chunks", type=click.IntRange(1), metavar="ROWS",
    help="Rows per chunk; the sample does not depend on it.  [default: about 32 MB]",
)  # fmt: skip
@click.option(
    "--dtype", type=click.Choice(FLOATS), default="float64", show_default=True, help="Of the rows."
)
@addressing
@writing
def sample(
    model: str,
    out: str,
    workers: Workers,
    address: AddressOf,
    quiet: bool,
    **settings: Any,
) -> None:
    """Draw any number of rows from MODEL; a row depends only on the seed and its number."""
    check_apart({"MODEL": model, **workers.places}, {"--out": out})
    mixture = mixture_in(address(model))
    with workers.current():
        mixture.sample_to_zarr(out=out, storage_options=address(out).options, **settings)
    if not quiet:
        tell(f"{out}: {settings['n_samples']:,} rows")
