"""``daskgmm adapt``."""

from __future__ import annotations

import click

import daskgmm.cli.options as options
from daskgmm.cli.data import Data, choosing, names_in
from daskgmm.cli.importing import IMPORT
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.places import check_apart
from daskgmm.cli.workers import Workers, running


@click.command(short_help="Adapt a mixture to few rows; write a new model file.")
@click.argument("model")
@click.argument("data")
@click.option("--out", "-o", required=True, metavar="NEW", help="Model file to write (JSON).")
@click.option(
    "--relevance", type=click.FloatRange(0), default=16.0, show_default=True,
    help="Rows of DATA for which a component is half theirs and half that of MODEL.",
)  # fmt: skip
@click.option(
    "--parameters", metavar="NAMES", type=names_in, default="means", show_default=True,
    help="What to adapt: weights, means, covariances.",
)  # fmt: skip
@choosing
@running
@IMPORT
@options.overwrite
@options.quiet
def adapt(
    model: str,
    data: Data,
    out: str,
    relevance: float,
    parameters: tuple[str, ...],
    workers: Workers,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Adapt MODEL to the rows of DATA, as a background model of speech to a speaker.

    DATA are opened as they were for the fit; options say otherwise.
    """
    with at_once():
        from daskgmm.models.files.model_file import check_free, load_model, save_new

    check_apart({"MODEL": model, **data.places, **workers.places}, {"--out": out})
    target = data.address(out)
    check_free(target, overwrite)
    mixture = load_model(model, data.storage_options)
    x = data.for_mixture(mixture)
    with workers.current():
        adapted = mixture.map_adapt(x, relevance, parameters)
    save_new(adapted, target, overwrite)
    if not quiet:
        click.echo(f"{out}: {', '.join(parameters)} adapted, relevance {relevance:g}")
