"""``daskgmm predict``."""

from __future__ import annotations

from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.commands.predicting import write_outputs
from daskgmm.cli.models import fitted_in
from daskgmm.cli.options.completing import NamesOf
from daskgmm.cli.options.data import MISSING_ROWS, NOISE_VARIANCE, Data, choosing, names_in
from daskgmm.cli.options.workers import Workers
from daskgmm.cli.options.writing import OUT, cuts, writing
from daskgmm.names import DTYPES, OUTPUTS


@command(
    short_help="Write labels, posteriors or densities of the rows to disk.",
    example="daskgmm predict model.json pixels.zarr --out labels.zarr",
)
@options.model_and_data
@OUT
@options.several(
    "--outputs", metavar="NAMES", parse=names_in, default=("label",), show_default=True,
    type=NamesOf(OUTPUTS, "daskgmm.models.predictions.outputs"),
    help="What to write: label, posterior, outlier, outlier_probability, top, largest_posterior, "
    "ambiguity, log_density; imputed, DATA with their gaps filled; after merge cluster, "
    "cluster_posterior; of ppca, factor and mcfa latent, reconstruction_error.",
)  # fmt: skip
@click.option(
    "--dtype", type=click.Choice(DTYPES),
    help="Of probabilities; uint8 in steps of 1/255, or 1/254 where rows may be missing.  "
    "[default: float32; of imputed float64]",
)  # fmt: skip
@click.option(
    "--top", type=click.IntRange(1), metavar="M",
    help="How many of the most probable components the output top holds.  [default: 2]",
)  # fmt: skip
@cuts
@MISSING_ROWS
@choosing
@NOISE_VARIANCE
@writing
def predict(
    model: str,
    data: Data,
    out: str,
    missing: str | None,
    workers: Workers,
    quiet: bool,
    **settings: Any,
) -> None:
    """Write what MODEL says of each row of DATA to a Zarr group or to Parquet, from one read.

    Labels and posteriors of a classifier are those of its classes, by their names.
    DATA are opened as they were for the fit; options say otherwise. If interrupted, the same
    command goes on.
    """
    fitted, _ = fitted_in(model, data.storage_options, missing)
    write_outputs(fitted, model, data, out, workers, settings, quiet=quiet)
