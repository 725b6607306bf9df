"""``daskgmm sweep``."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.commands.fitting.fitting import Fitting, check_converged, fitting
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.completing import PLACE, Place
from daskgmm.cli.options.data import LABELS, groups
from daskgmm.cli.options.importing import IMPORT
from daskgmm.cli.reporting import sweep_report


class TablePath(Place):
    """The path of a table; one that is not named as a table is refused: it might be data."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return it as it is."""
        if Path(value).suffix.lower() != ".csv":
            self.fail(f"{value} does not end in .csv.", param, ctx)
        return value


@command(
    short_help="Choose the number of components and write the best model.",
    example="daskgmm sweep pixels.zarr --components 2-8 --out best.json",
)
@click.argument("data", type=PLACE)
@options.several(
    "--components", "-k", "n_components", required=True, metavar="RANGE", parse=options.sizes_in,
    help="Numbers of components: 2-20, or 2,4,8.",
)  # fmt: skip
@options.covariances("Covariance structure, or several to try, for example full,VEE.")
@click.option(
    "--n-factors", metavar="RANGE", type=options.sizes_in,
    help="Numbers of factors to try, for example 1-5 or 2,4, with ppca, factor or mcfa.",
)  # fmt: skip
@options.criterion(
    "Criterion that chooses the best model. While the sweep runs, its lines show the lowest BIC."
)
@options.model_out(metavar="MODEL", help="Model file to write (JSON), with the best model.")
@click.option(
    "--table",
    metavar="FILE",
    type=TablePath(),
    help=("Write the table of all starts, one per line (.csv)."),
)
@click.option("--plot", metavar="FILE", type=PLACE, help="Plot the criterion (.png, .svg, .pdf).")
@click.option(
    "--n-init", type=click.IntRange(1), default=3, show_default=True,
    help="Number of starts for each size and structure, on a sample.",
)  # fmt: skip
@options.noise
@options.tails
@options.tolerance(1e-3)
@fitting
@LABELS
@groups("A group is held out as a whole, by the criterion heldout.")
@IMPORT
@options.overwrite
@options.quiet
def sweep(
    given: Fitting, out: str, table: str | None, plot: str | None, overwrite: bool, **settings: Any
) -> None:
    """Fit mixtures of several sizes to DATA in shared passes, and write the best one."""
    given.check_places(out=out, table=table, plot=plot)
    with at_once():
        from daskgmm.errors import ChoiceWarning
        from daskgmm.models.model_file import check_free, save_new
        from daskgmm.models.sweeps.sweep import sweep as run_sweep
        from daskgmm.progress import show

    target = given.data.address(out)
    check_free(target, overwrite)
    write = besides(table, plot, overwrite)
    found = given.run(run_sweep, show(quiet=given.quiet), "sweep", **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChoiceWarning)  # The report says so.
        best = found.best()
    save_new(best, target, overwrite)
    given.say(sweep_report(found, best, out))
    write(found)
    check_converged(best, given.checkpoint)


def besides(table: str | None, plot: str | None, overwrite: bool) -> Callable[[Any], None]:
    """Return what writes the table and the plot of a sweep; raise unless they may go there."""
    from daskgmm.report.sweep import check_picture, checked_output, picture, table_csv, written

    places = {
        option: checked_output(path, option, overwrite)
        for option, path in (("--table", table), ("--plot", plot))
        if path is not None
    }
    if "--plot" in places:
        check_picture(places["--plot"])

    def write(found: Any) -> None:
        if "--table" in places:
            written(table_csv(found.table).encode(), places["--table"], "The table")
        if "--plot" in places:
            place = places["--plot"]
            written(picture(found, found.criterion, place.suffix), place, "The plot")

    return write
