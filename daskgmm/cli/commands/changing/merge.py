"""``daskgmm merge``."""

from __future__ import annotations

from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.commands.changing.changing import write_changed
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.data import NOISE_VARIANCE, Data, choosing, weighing
from daskgmm.cli.options.workers import Workers
from daskgmm.cli.options.writing import writing
from daskgmm.cli.reporting import tell


@command(
    short_help="Merge components into clusters and write a new model file.",
    example="daskgmm merge model.json pixels.zarr --out merged.json",
)
@options.model_and_data
@options.model_out(metavar="NEW")
@click.option(
    "--n-clusters", type=click.IntRange(1),
    help="Number of clusters.  [default: at the elbow of the entropy]",
)  # fmt: skip
@choosing
@weighing
@NOISE_VARIANCE
@writing
def merge(
    model: str,
    data: Data,
    out: str,
    n_clusters: int | None,
    workers: Workers,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Merge components of MODEL into clusters where they share rows of DATA.

    The density does not change. Afterwards, `daskgmm predict NEW DATA --outputs cluster` writes
    the cluster of each row.
    """
    with at_once():
        from daskgmm.counting import counted

    def change(mixture: Any, x: Any, weights: Any) -> Any:
        return mixture.merge_components(x, n_clusters, weights, noise_variance=data.noise())

    mixture = write_changed(model, data, out, workers, change, overwrite=overwrite)
    if not quiet:
        found = 1 + int(mixture.clusters_.max())
        click.echo("clusters  mean entropy, nats per row")
        for number, entropy in enumerate(mixture.merging_.entropy, start=1):
            click.echo(f"{number:8}  {entropy:.4f}{'  <-' if number == found else ''}")
        k = counted(len(mixture.weights_), "component")
        tell(f"{out}: {k} in {counted(found, 'cluster')}")
