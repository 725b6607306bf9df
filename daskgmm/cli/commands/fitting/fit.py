"""``daskgmm fit``."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.commands.fitting.fitting import (
    INIT,
    N_INIT,
    Fitting,
    check_converged,
    checked,
    fitting,
)
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.bayesian import bayesian, estimator_of
from daskgmm.cli.options.classifying import (
    check_not_given,
    class_report,
    classifier_of,
    classifying,
    fitted_classes,
    without_classes,
)
from daskgmm.cli.options.completing import PLACE
from daskgmm.cli.options.data import LABELS
from daskgmm.cli.options.importing import IMPORT
from daskgmm.cli.reporting import fit_report


@command(
    short_help="Fit a mixture to data and write a model file.",
    example="daskgmm fit pixels.zarr --components 5 --out model.json",
)
@click.argument("data", type=PLACE)
@click.option(
    "--components", "-k", "n_components", metavar="K", type=options.sizes_in,
    help=(
        "Number of components. With --structures own, the numbers to try for each class, for "
        "example 1-3."
    ),
)  # fmt: skip
@options.covariances(
    "Covariance structure. With --structures own, the structures to try, for example full,VEE.",
    multiple=False,
)
@options.n_factors
@options.model_out(metavar="MODEL")
@N_INIT
@INIT
@options.noise
@options.tails
@options.n_candidates
@bayesian
@options.acceleration
@options.tolerance(1e-3)
@fitting
@LABELS
@classifying
@IMPORT
@options.overwrite
@options.quiet
def fit(given: Fitting, out: str, classifier: bool, overwrite: bool, **settings: Any) -> None:
    """Fit a mixture to DATA, a path or URL of Zarr, Parquet, NetCDF, CSV or .npy data.

    In a Zarr array of two axes, these are rows and features. For arrays of more axes and for
    groups of variables, choose the features with --variables and --features; for tables, with
    --columns.
    """
    given.check_places(out=out)
    fitted: Any = _asked(given, classifier, settings)
    with at_once():
        from daskgmm.models.model_file import check_free, save_new
        from daskgmm.progress import Forecast, show

    checked(fitted)
    target = given.data.address(out)
    check_free(target, overwrite)
    run = partial(fitted_classes, fitted) if classifier else fitted.fit
    given.run(run, show(Forecast(fitted.tol, fitted.max_iter), quiet=given.quiet))
    save_new(fitted, target, overwrite)
    given.say((class_report if classifier else fit_report)(fitted, out))
    check_converged(fitted.mixture_ if classifier else fitted, given.checkpoint)


def _asked(given: Fitting, classifier: bool, settings: dict[str, Any]) -> Any:
    """Return the estimator that options ask for."""
    if classifier:
        if given.weights_are is not None:
            check_not_given({"weights_are"})
        return classifier_of(settings, given.data.labels)
    settings = without_classes(settings)
    if settings["n_components"] is None:
        raise click.UsageError("Missing option '--components' / '-k': the number of components.")
    return estimator_of(settings)
