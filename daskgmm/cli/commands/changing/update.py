"""``daskgmm update``."""

from __future__ import annotations

from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.commands.changing.changing import write_changed
from daskgmm.cli.options.data import Data, choosing, weighing
from daskgmm.cli.options.workers import Workers
from daskgmm.cli.options.writing import writing
from daskgmm.cli.reporting import tell


@command(
    short_help="Update a mixture with new rows and write a new model file.",
    example="daskgmm update model.json new.zarr --out updated.json",
)
@options.model_and_data
@options.model_out(metavar="NEW")
@click.option(
    "--forget", type=click.FloatRange(0, 1), default=0.0, show_default=True, metavar="PART",
    help="Fraction of the weight of the earlier rows to forget, from 0 to 1.",
)  # fmt: skip
@click.option(
    "--max-iter", type=click.IntRange(1), default=1, show_default=True,
    help="Largest number of passes over DATA.",
)  # fmt: skip
@click.option(
    "--tol", type=click.FloatRange(0), default=0.0, show_default=True,
    help="Stop when the objective rises by less than this, in nats per row.",
)  # fmt: skip
@choosing
@weighing
@writing
def update(
    model: str,
    data: Data,
    out: str,
    workers: Workers,
    overwrite: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Update MODEL with the rows of DATA, in addition to those of earlier fits.

    DATA are opened as for the fit, unless options say otherwise.
    """

    def change(mixture: Any, x: Any, weights: Any) -> Any:
        return mixture.update(x, sample_weight=weights, **settings)

    updated = write_changed(model, data, out, workers, change, overwrite=overwrite)
    if not quiet:
        tell(
            f"{out}: {updated.n_seen_:,.10g} rows by weight so far; log likelihood of the new ones "
            f"{updated.lower_bound_:.5f} nats per row"
        )
