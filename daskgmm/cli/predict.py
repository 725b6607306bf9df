"""``daskgmm predict``."""

from __future__ import annotations

from typing import Any

import click

import daskgmm.cli.options as options
from daskgmm.cli.cuts import cut_in
from daskgmm.cli.data import MISSING_ROWS, NOISE_VARIANCE, Data, choosing, names_in
from daskgmm.cli.importing import IMPORT
from daskgmm.cli.interrupting import at_once, going_on
from daskgmm.cli.places import check_apart
from daskgmm.cli.reporting import prediction_report
from daskgmm.cli.workers import Workers, running
from daskgmm.names import DTYPES
from daskgmm.storage.masking import shown


@click.command(short_help="Write labels, posteriors or densities of the rows to disk.")
@click.argument("model")
@click.argument("data")
@click.option(
    "--out", "-o", required=True, metavar="OUT",
    help="Zarr group to write, a path or URL; Parquet if it ends in .parquet.",
)  # fmt: skip
@options.several(
    "--outputs", metavar="NAMES", parse=names_in, default=("label",), show_default=True,
    help="What to write: label, posterior, outlier, outlier_probability, top, largest_posterior, "
    "ambiguity, log_density; imputed, DATA with their gaps filled; after merge cluster, "
    "cluster_posterior; of ppca, factor and mcfa latent, reconstruction_error.",
)  # fmt: skip
@click.option(
    "--dtype", type=click.Choice(DTYPES), default="float32", show_default=True,
    help="Of probabilities; uint8 in steps of 1/255, or 1/254 where rows may be missing.",
)  # fmt: skip
@click.option(
    "--top", type=click.IntRange(1), metavar="M",
    help="How many of the most probable components the output top holds.  [default: 2]",
)  # fmt: skip
@options.several(
    "--chunks", metavar="CUT", parse=cut_in,
    help="Rows of a chunk, as 100000, or lengths, as y=512,x=512.  [default: those of DATA]",
)  # fmt: skip
@options.several(
    "--shards", metavar="CUT", parse=cut_in,
    help="The same of shards, which hold whole chunks.  [default: no shards]",
)  # fmt: skip
@options.several(
    "--key", metavar="NAMES", parse=names_in,
    help="Columns of DATA to keep beside the predictions, where OUT is Parquet.",
)  # fmt: skip
@MISSING_ROWS
@choosing
@NOISE_VARIANCE
@running
@IMPORT
@options.overwrite
@options.quiet
def predict(
    model: str,
    data: Data,
    out: str,
    missing: str | None,
    workers: Workers,
    overwrite: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Write what MODEL says of each row of DATA to a Zarr group or to Parquet, from one read.

    DATA are opened as they were for the fit; options say otherwise. If interrupted, the same
    command goes on.
    """
    with at_once():
        from daskgmm.models.files.model_file import load_model
        from daskgmm.models.mixture import wanted_outputs
        from daskgmm.progress import show_pass

    # Predictions may replace DATA that are Parquet; what writes them looks at that.
    check_apart({"MODEL": model, **workers.places}, {"--out": out})
    parquet = check_format(out, data.path, settings)
    mixture = load_model(model, data.storage_options)
    if missing is not None:
        mixture.set_params(missing=missing)
    # Before DATA are opened, which may take long.
    wanted_outputs(mixture._predictor(), settings["outputs"], settings["dtype"], settings["top"])
    x = data.for_mixture(mixture, keyed=parquet)
    settings |= {"overwrite": overwrite, "storage_options": data.storage_options}
    if data.noise_variance is not None:
        settings["noise_variance"] = data.noise()
    with (
        workers.current(),
        going_on(data.address(out)),
        show_pass("predictions", quiet=quiet) as progress,
    ):
        write = mixture.predict_to_parquet if parquet else mixture.predict_to_zarr
        written = write(x, out, progress=progress, **settings)
    if not quiet:
        click.echo(prediction_report(written, settings["outputs"]))


def check_format(out: str, data: str, settings: dict[str, Any]) -> bool:
    """Return whether OUT is to be Parquet; refuse options of the other format."""
    from daskgmm.models.writers.naming import check_zarr_name
    from daskgmm.models.writers.parquet_target import is_parquet_target
    from daskgmm.rows.sources import source_of

    if not is_parquet_target(out):
        check_zarr_name(out)
        if settings.pop("key") is not None:
            raise click.UsageError(
                f"--key is for Parquet, and {shown(out)} will be Zarr. Name --out as Parquet, such "
                "as labels.parquet."
            )
        return False
    cuts = [settings.pop("chunks"), settings.pop("shards")]
    if any(cut is not None for cut in cuts):
        raise click.UsageError(
            f"--chunks and --shards are for Zarr, and {shown(out)} will be Parquet."
        )
    if not source_of(data).keyed:
        raise click.UsageError(
            f"Parquet is written of rows that are read from Parquet, and {shown(data)} is none. "
            "Name --out as Zarr, such as labels.zarr."
        )
    return True
