"""``daskgmm predict``."""

from __future__ import annotations

from typing import Any

import click

import daskgmm.cli.options as options
from daskgmm.cli.command import command
from daskgmm.cli.completing import PLACE
from daskgmm.cli.data import MISSING_ROWS, NOISE_VARIANCE, Data, choosing, names_in
from daskgmm.cli.importing import IMPORT
from daskgmm.cli.interrupting import at_once, going_on
from daskgmm.cli.places import check_apart
from daskgmm.cli.reporting import prediction_report
from daskgmm.cli.workers import Workers, running
from daskgmm.cli.writing import CHUNKS, KEY, OUT, SHARDS, check_format
from daskgmm.names import DTYPES


@command(
    short_help="Write labels, posteriors or densities of the rows to disk.",
    example="daskgmm predict model.json pixels.zarr --out labels.zarr",
)
@click.argument("model", type=PLACE)
@click.argument("data", type=PLACE)
@OUT
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
@CHUNKS
@SHARDS
@KEY
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

    Labels and posteriors of a classifier are those of its classes, by their names.
    DATA are opened as they were for the fit; options say otherwise. If interrupted, the same
    command goes on.
    """
    with at_once():
        from daskgmm.models.classifying.classifier import GaussianMixtureClassifier
        from daskgmm.models.classifying.loading import load_fitted
        from daskgmm.models.mixture import wanted_outputs
        from daskgmm.progress import show_pass

    # Predictions may replace DATA that are Parquet; what writes them looks at that.
    check_apart({"MODEL": model, **workers.places}, {"--out": out})
    parquet = check_format(out, data.path, settings)
    fitted: Any = load_fitted(model, data.storage_options)
    classifies = isinstance(fitted, GaussianMixtureClassifier)
    mixture = fitted.mixture_ if classifies else fitted
    if missing is not None:
        mixture.set_params(missing=missing)
    # Before DATA are opened, which may take long.
    predictor = (fitted._predicting() if classifies else mixture)._predictor()
    wanted_outputs(predictor, settings["outputs"], settings["dtype"], settings["top"])
    x = data.for_mixture(mixture, keyed=parquet)
    settings |= {"overwrite": overwrite, "storage_options": data.storage_options}
    if data.noise_variance is not None:
        settings["noise_variance"] = data.noise()
    with (
        workers.current(),
        going_on(data.address(out)),
        show_pass("predictions", quiet=quiet) as progress,
    ):
        write = fitted.predict_to_parquet if parquet else fitted.predict_to_zarr
        written = write(x, out, progress=progress, **settings)
    if not quiet:
        names = fitted.classes_.tolist() if classifies else None
        click.echo(prediction_report(written, settings["outputs"], names))
