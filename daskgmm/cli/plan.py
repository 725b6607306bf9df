"""``daskgmm plan``."""

from __future__ import annotations

from typing import Any

import click

import daskgmm.cli.options as options
from daskgmm.cli.data import Data, choosing, weighing
from daskgmm.cli.fitting import MISSING, PCA, STANDARDISE
from daskgmm.cli.importing import IMPORT
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.workers import SCHEDULER, SCHEDULER_FILE, THREADS, Workers


@click.command(short_help="Say what a fit will cost, before a byte is read.")
@click.argument("data")
@options.components
@options.covariance
@options.max_iter
@click.option("--n-init", type=click.IntRange(1), default=1, show_default=True)
@options.acceleration
@options.sample_rows
@MISSING
@STANDARDISE
@PCA
@choosing
@weighing
@options.cache
@THREADS
@SCHEDULER
@SCHEDULER_FILE
@IMPORT
def plan(
    data: Data,
    threads: int | None,
    scheduler: str | None,
    scheduler_file: str | None,
    **settings: Any,
) -> None:
    """Say what a fit to DATA will cost: bytes, batches, passes, memory."""
    with at_once():
        from daskgmm.models.planning import plan as plan_fit

    x, arguments = data.training()
    with Workers(threads, scheduler, scheduler_file).current():
        found = plan_fit(x, **arguments, **settings)
    click.echo(found)
    found.check()
