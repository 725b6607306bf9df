"""``daskgmm fit``."""

from __future__ import annotations

from typing import Any

import click

import daskgmm.cli.options as options
from daskgmm.cli.bayesian import bayesian, estimator_of
from daskgmm.cli.fitting import (
    INIT,
    N_INIT,
    Fitting,
    check_converged,
    checked,
    fitting,
)
from daskgmm.cli.importing import IMPORT
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.reporting import fit_report


@click.command(short_help="Fit a mixture to data; write a model file.")
@click.argument("data")
@options.components
@options.covariance
@click.option(
    "--n-factors", type=click.IntRange(1), metavar="Q",
    help="Dimensions of the subspace of components, of --covariance ppca, factor and mcfa.",
)  # fmt: skip
@click.option("--out", "-o", required=True, metavar="MODEL", help="Model file to write (JSON).")
@N_INIT
@INIT
@options.noise
@options.tails
@bayesian
@options.acceleration
@options.tolerance(1e-3)
@fitting
@IMPORT
@options.overwrite
@options.quiet
def fit(given: Fitting, out: str, overwrite: bool, **settings: Any) -> None:
    """Fit a mixture to DATA, a path or URL: Zarr, Parquet, NetCDF, or a .npy file.

    A Zarr array of two axes holds rows and features. Of what has more, or variables, say with
    --variables and --features what the features are; of Parquet with --columns.
    """
    with at_once():
        from daskgmm.models.files.model_file import check_free, save_new
        from daskgmm.progress import Forecast, show

    mixture = checked(estimator_of(settings))
    given.check_places(out=out)
    target = given.data.address(out)
    check_free(target, overwrite)
    given.run(mixture.fit, show(Forecast(mixture.tol, mixture.max_iter), quiet=given.quiet))
    save_new(mixture, target, overwrite)
    given.say(fit_report(mixture, out))
    check_converged(mixture, given.checkpoint)
