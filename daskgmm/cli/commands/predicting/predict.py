"""``daskgmm predict``."""

from __future__ import annotations

from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.commands.predicting.predicting import write_outputs
from daskgmm.cli.models import fitted_in
from daskgmm.cli.options.completing import NamesOf
from daskgmm.cli.options.data import MISSING_ROWS, NOISE_VARIANCE, Data, choosing, names_in
from daskgmm.cli.options.workers import Workers
from daskgmm.cli.options.writing import OUT, cuts, writing
from daskgmm.names import DTYPES, OUTPUTS


@command(
    short_help="Write labels, posteriors or densities of rows to disk.",
    example="daskgmm predict model.json pixels.zarr --out labels.zarr",
)
@options.model_and_data
@OUT
@options.several(
    "--outputs", metavar="NAMES", parse=names_in, default=("label",), show_default=True,
    type=NamesOf(OUTPUTS, "daskgmm.models.predictions.outputs"),
    help=(
        "What to write: label, posterior, outlier, outlier_probability, top, largest_posterior, "
        "ambiguity, log_density; imputed (DATA with its gaps filled); cluster and "
        "cluster_posterior (after merge); latent and reconstruction_error (with ppca, factor or "
        "mcfa)."
    ),
)  # fmt: skip
@click.option(
    "--dtype", type=click.Choice(DTYPES),
    help=(
        "Type of the probabilities; uint8 has steps of 1/255, or 1/254 where rows may be "
        "missing.  [default: float32; float64 for imputed]"
    ),
)  # fmt: skip
@click.option(
    "--top", type=click.IntRange(1), metavar="M",
    help="Number of components in the output top, the most probable first.  [default: 2]",
)  # fmt: skip
@cuts
@MISSING_ROWS
@choosing
@NOISE_VARIANCE
@writing
def predict(
    model: str,
    data: Data,
    missing: str | None,
    workers: Workers,
    quiet: bool,
    **settings: Any,
) -> None:
    """Predict each row of DATA in one read, and write a Zarr group or Parquet.

    Labels and posteriors of a classifier carry the names of its classes. DATA are opened as for
    the fit, unless options say otherwise. If interrupted, run the same command again to resume.
    """
    fitted, _ = fitted_in(data.address(model), missing)
    write_outputs(fitted, model, data, workers, settings, quiet=quiet)
