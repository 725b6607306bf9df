"""``daskgmm transform``."""

from __future__ import annotations

from typing import Any

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.commands.predicting.predicting import write_outputs
from daskgmm.cli.models import mixture_in
from daskgmm.cli.options.data import MISSING_ROWS, Data, choosing
from daskgmm.cli.options.workers import Workers
from daskgmm.cli.options.writing import OUT, cuts, float_dtype, writing


@command(
    short_help="Write the latent coordinates of rows, with factor models.",
    example="daskgmm transform factors.json pixels.zarr --out latent.zarr",
)
@options.model_and_data
@OUT
@float_dtype("float32")
@cuts
@MISSING_ROWS
@choosing
@writing
def transform(
    model: str,
    data: Data,
    missing: str | None,
    workers: Workers,
    quiet: bool,
    **settings: Any,
) -> None:
    """Write the label of each row of DATA and its latent coordinates in that component.

    MODEL must be fitted with --covariance ppca, factor or mcfa. DATA are opened as for the fit,
    unless options say otherwise. If interrupted, run the same command again to resume.
    """
    mixture = mixture_in(data.address(model), missing)
    settings |= {"outputs": ("label", "latent"), "top": None}
    write_outputs(mixture, model, data, workers, settings, quiet=quiet)
