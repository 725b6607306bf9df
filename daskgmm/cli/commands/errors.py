"""``daskgmm errors``."""

from __future__ import annotations

import json
from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.models import fitted_in
from daskgmm.cli.options.data import (
    LABELS,
    MISSING_ROWS,
    NOISE_VARIANCE,
    Data,
    choosing,
    groups,
    weighing,
)
from daskgmm.cli.options.importing import IMPORT
from daskgmm.cli.options.workers import Workers, running
from daskgmm.cli.reporting import tell

KINDS = ("weights", "means", "covariances", "standard_deviations")


@command(
    short_help="Show the standard errors of the parameters of a mixture.",
    example="daskgmm errors model.json pixels.zarr",
)
@options.model_and_data
@groups("Rows in different groups count as independent.")
@LABELS
@NOISE_VARIANCE
@click.option(
    "--blocks", type=click.IntRange(30), default=1000, show_default=True,
    help="Number of blocks of neighbouring rows.",
)  # fmt: skip
@click.option(
    "--level", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95,
    show_default=True, help="Coverage probability of the intervals.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write JSON, including all covariances.")
@MISSING_ROWS
@choosing
@weighing
@options.weights_are
@running
@IMPORT
def errors(
    model: str,
    data: Data,
    blocks: int,
    level: float,
    as_json: bool,
    missing: str | None,
    workers: Workers,
    weights_are: str | None,
) -> None:
    """Show how uncertain the parameters of MODEL are, given the DATA it was fitted to.

    This takes one to three passes over DATA. Neighbouring rows may depend on each other; blocks of
    them count as independent. Errors are in the units of DATA, or along principal axes after a fit
    with --pca.
    """
    data.check_meaning(weights_are)
    fitted, mixture = fitted_in(data.address(model), missing)
    classifies = fitted is not mixture
    if classifies and data.labels is None:
        raise click.UsageError(
            "MODEL is a classifier, which was fitted with labels. Name them: --labels."
        )
    x = data.for_mixture(mixture)
    with workers.current():
        labels = {"y" if classifies else "labels": data.labels_of(x)}
        found = fitted.standard_errors(
            x, sample_weight=data.sample_weight(x), noise_variance=data.noise(),
            groups=data.groups_of(x), blocks=blocks, weights_are=weights_are, **labels,
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps(_as_plain(found, level)))
        return
    tell(f"{repr(found).strip('<>')}\n\n{found.table(level)}")


def _as_plain(found: Any, level: float) -> dict[str, Any]:
    """Return standard errors, estimates and intervals as values of JSON."""
    along_axes = found.estimates.along_axes
    found = found if along_axes else found.in_data_units()
    intervals = found.intervals(level)
    facts = {"units": found.units, "unit": found.unit, "rows": found.rows, "level": level}
    facts["features"] = list(found.estimates.features)
    facts["coordinates"] = "principal axes" if along_axes else "columns"
    return facts | {
        kind: {
            "estimate": getattr(found.estimates, kind).tolist(),
            "standard_error": getattr(found, kind).tolist(),
            "interval": getattr(intervals, kind).tolist(),
        }
        for kind in KINDS
    }
