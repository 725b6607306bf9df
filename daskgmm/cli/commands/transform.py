"""``daskgmm transform``."""

from __future__ import annotations

from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.commands.predicting import write_outputs
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.completing import PLACE
from daskgmm.cli.options.data import MISSING_ROWS, Data, choosing
from daskgmm.cli.options.importing import IMPORT
from daskgmm.cli.options.workers import Workers, running
from daskgmm.cli.options.writing import CHUNKS, KEY, OUT, SHARDS, float_dtype


@command(
    short_help="Write latent coordinates of rows, of a mixture with factors.",
    example="daskgmm transform factors.json pixels.zarr --out latent.zarr",
)
@click.argument("model", type=PLACE)
@click.argument("data", type=PLACE)
@OUT
@float_dtype("float32")
@CHUNKS
@SHARDS
@KEY
@MISSING_ROWS
@choosing
@running
@IMPORT
@options.overwrite
@options.quiet
def transform(
    model: str,
    data: Data,
    out: str,
    missing: str | None,
    workers: Workers,
    quiet: bool,
    **settings: Any,
) -> None:
    """Write the label of each row of DATA, and its latent coordinates in that component.

    MODEL was fitted with --covariance ppca, factor or mcfa. DATA are opened as they were for the
    fit; options say otherwise. If interrupted, the same command goes on.
    """
    with at_once():
        from daskgmm.models.model_file import load_model

    mixture: Any = load_model(model, data.storage_options)
    if missing is not None:
        mixture.set_params(missing=missing)
    settings |= {"outputs": ("label", "latent"), "top": None}
    write_outputs(mixture, model, data, out, workers, settings, quiet=quiet)
