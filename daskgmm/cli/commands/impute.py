"""``daskgmm impute``."""

from __future__ import annotations

from typing import Any

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.commands.predicting import write_outputs
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.data import Data, choosing
from daskgmm.cli.options.workers import Workers
from daskgmm.cli.options.writing import OUT, cuts, float_dtype, writing
from daskgmm.names import IMPUTED, MARGINALISE


@command(
    short_help="Write data whose gaps are filled as a mixture expects.",
    example="daskgmm impute model.json table.parquet --out filled.parquet",
)
@options.model_and_data
@OUT
@float_dtype("float64")
@cuts
@choosing
@writing
def impute(
    model: str, data: Data, out: str, workers: Workers, quiet: bool, **settings: Any
) -> None:
    """Write the features of DATA, with what MODEL expects of each value that is missing.

    That is its mean given the others of its row. Values that are there stay as they are; Parquet
    has the names of the columns. DATA are opened as they were for the fit; options say otherwise.
    If interrupted, the same command goes on.
    """
    with at_once():
        from daskgmm.models.model_file import load_model
        from daskgmm.models.settings.missing import check_fills

    mixture: Any = load_model(model, data.storage_options)
    check_fills(mixture)
    mixture.set_params(missing=MARGINALISE)
    settings |= {"outputs": (IMPUTED,), "top": None}
    write_outputs(mixture, model, data, out, workers, settings, quiet=quiet)
