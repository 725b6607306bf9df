"""The part that commands share which write outputs of predictions."""

from __future__ import annotations

from typing import Any

from daskgmm.cli.interrupting import at_once, going_on
from daskgmm.cli.options.data import Data
from daskgmm.cli.options.workers import Workers
from daskgmm.cli.options.writing import check_format
from daskgmm.cli.places import check_apart
from daskgmm.cli.reporting import prediction_report, tell


def write_outputs(
    fitted: Any, model: str, data: Data, workers: Workers, settings: dict[str, Any], *, quiet: bool
) -> None:
    """Write outputs of a mixture or classifier, with the settings of `predict_to_zarr`, and tell.

    Those of the format that is not written are refused, or left out.
    """
    with at_once():
        from daskgmm.models.predictions.made_outputs import wanted_outputs
        from daskgmm.progress import show_pass

    out = settings["out"]
    # Predictions may replace DATA that are Parquet; what writes them looks at that.
    check_apart({"MODEL": model, **workers.places}, {"--out": out})
    parquet = check_format(out, data.path, settings)
    mixture = getattr(fitted, "mixture_", fitted)
    classifies = fitted is not mixture
    # Before DATA are opened, which may take long.
    predictor = (fitted._predicting() if classifies else mixture)._predictor()
    wanted_outputs(predictor, settings["outputs"], settings["dtype"], settings["top"])
    x = data.for_mixture(mixture, keyed=parquet, keys=settings.get("key"))
    settings["storage_options"] = data.storage_options
    if data.noise_variance is not None:
        settings["noise_variance"] = data.noise()
    with (
        workers.current(),
        going_on(data.address(out)),
        show_pass("predictions", quiet=quiet) as progress,
    ):
        write = fitted.predict_to_parquet if parquet else fitted.predict_to_zarr
        written = write(x, progress=progress, **settings)
    if not quiet:
        names = fitted.classes_.tolist() if classifies else None
        tell(prediction_report(written, settings["outputs"], names))
