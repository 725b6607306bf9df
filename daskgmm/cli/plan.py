"""``daskgmm plan``."""

from __future__ import annotations

from typing import Any

import click

from daskgmm.cli import options
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.workers import SCHEDULER, THREADS, Workers


@click.command(short_help="Say what a fit will cost, before a byte is read.")
@click.argument("data")
@options.components
@options.covariance
@options.max_iter
@click.option("--n-init", type=click.IntRange(1), default=1, show_default=True)
@options.weights
@options.storage_options
@options.cache
@THREADS
@SCHEDULER
def plan(
    data: str,
    weights: str | None,
    storage_options: dict[str, Any] | None,
    threads: int | None,
    scheduler: str | None,
    **settings: Any,
) -> None:
    """Say what a fit to DATA will cost: bytes, batches, passes, memory."""
    with at_once():
        from daskgmm.models.planning import plan as plan_fit
        from daskgmm.rows.opening import open_data

    rows = open_data(data, storage_options)
    sample_weight = None if weights is None else open_data(weights, storage_options)
    with Workers(threads, scheduler).current():
        found = plan_fit(rows, sample_weight=sample_weight, **settings)
    click.echo(found)
    found.check()
