"""``daskgmm drift``."""

from __future__ import annotations

import json
import math
from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.exit_codes import DRIFTED
from daskgmm.cli.models import mixture_in
from daskgmm.cli.options.data import WHOLE_ROWS, Data, choosing, weighing
from daskgmm.cli.options.importing import IMPORT
from daskgmm.cli.options.workers import Workers, running
from daskgmm.cli.places import check_apart


@command(
    short_help="Test whether data still follow a mixture, and show what moved.",
    example="daskgmm drift model.json new.zarr --level 0.01",
)
@options.model_and_data
@click.option("--json", "as_json", is_flag=True, help="Write all numbers as JSON.")
@click.option(
    "--level", type=click.FloatRange(0, 1, min_open=True), metavar="P",
    help="Exit with code 4 if p is below this level, for example 0.01.  [default: never]",
)  # fmt: skip
@click.option(
    "--least", type=click.FloatRange(0), default=0.0, metavar="NATS", show_default=True,
    help=(
        "With --level: exit with code 4 only if the change is at least this large, in nats per "
        "row, for example 0.001. With many rows, even tiny differences are significant."
    ),
)  # fmt: skip
@WHOLE_ROWS
@choosing
@weighing
@running
@IMPORT
def drift(
    model: str,
    data: Data,
    missing: str | None,
    workers: Workers,
    as_json: bool,
    level: float | None,
    least: float,
) -> None:
    """Test in one pass whether the rows of DATA still follow MODEL, and show what moved.

    DATA are opened as for the fit, unless options say otherwise.
    """
    if least and level is None:
        raise click.UsageError("--least goes with --level: it says which changes end with code 4.")
    check_apart({"MODEL": model, **data.places, **workers.places}, {})
    mixture = mixture_in(data.address(model), missing)
    x = data.for_mixture(mixture)
    with workers.current():
        found = mixture.drift(x, data.sample_weight(x))
    click.echo(json.dumps(_finite(found.as_dict()), indent=1) if as_json else _shown(found))
    if level is not None and found.p_value < level and found.divergence >= least:
        raise click.exceptions.Exit(DRIFTED)


def _shown(found: Any) -> str:
    return repr(found).replace(": drift.changes()", ": --json has all")


def _finite(value: Any) -> Any:
    """Return plain values with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
