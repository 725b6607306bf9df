"""``daskgmm predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from daskgmm.cli import options
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.workers import Workers, running


@click.command(short_help="Write the component of each row to Zarr.")
@click.argument("model")
@click.argument("data")
@click.option("--out", "-o", required=True, metavar="LABELS", help="Zarr array to write.")
@options.storage_options
@running
@options.overwrite
@options.quiet
def predict(
    model: str,
    data: str,
    out: str,
    storage_options: dict[str, Any] | None,
    workers: Workers,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Write the most probable component of each row of DATA to a Zarr array."""
    with at_once():
        from daskgmm.models.label_file import label_path, write_labels
        from daskgmm.models.model_file import load_model
        from daskgmm.progress import show_pass
        from daskgmm.rows.opening import open_data

    target = label_path(out, overwrite=overwrite)
    mixture, rows = load_model(model), open_data(data, storage_options)
    if target.exists() and Path(data).exists() and target.samefile(data):
        raise click.UsageError("--out names DATA itself, which is not overwritten.")
    with workers.current(), show_pass("labels", quiet=quiet) as progress:
        counts = write_labels(mixture, rows, target, progress, overwrite=overwrite)
    if not quiet:
        click.echo(f"{out}: {counts.sum():,} labels")
        for component, count in enumerate(counts):
            click.echo(f"  {component:>4}  {count:>15,}  {count / max(1, counts.sum()):>6.1%}")
