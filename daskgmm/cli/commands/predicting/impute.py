"""``daskgmm impute``."""

from __future__ import annotations

from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.commands.predicting.predicting import write_outputs
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.models import mixture_in
from daskgmm.cli.options.data import Data, choosing
from daskgmm.cli.options.workers import Workers
from daskgmm.cli.options.writing import OUT, cuts, float_dtype, writing
from daskgmm.names import IMPUTED, MARGINALISE

LARGEST_SEED = 2**64 - 1


@command(
    short_help="Fill gaps in data with the values that a mixture expects.",
    example="daskgmm impute model.json table.parquet --out filled.parquet",
)
@options.model_and_data
@OUT
@click.option(
    "--seed", "random_state", type=click.IntRange(0, LARGEST_SEED),
    help=(
        "Draw missing values with this seed, instead of their expected values. Other seeds give "
        "other draws."
    ),
)  # fmt: skip
@float_dtype("float64")
@cuts
@choosing
@writing
def impute(model: str, data: Data, workers: Workers, quiet: bool, **settings: Any) -> None:
    """Write the features of DATA with each missing value replaced by what MODEL expects.

    The expected value is the conditional mean given the other values of the row. Values that are
    present do not change; Parquet output keeps the column names. With --seed it is a draw from the
    mixture instead; several show how uncertain a result is (multiple imputation). DATA are opened
    as for the fit, unless options say otherwise. If interrupted, run the same command again to
    resume.
    """
    with at_once():
        from daskgmm.models.settings.missing import check_fills

    mixture: Any = mixture_in(data.address(model))
    check_fills(mixture)
    mixture.set_params(missing=MARGINALISE)
    settings |= {"outputs": (IMPUTED,), "top": None}
    write_outputs(mixture, model, data, workers, settings, quiet=quiet)
