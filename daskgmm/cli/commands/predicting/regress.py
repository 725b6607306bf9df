"""``daskgmm regress``."""

from __future__ import annotations

from typing import Any

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.interrupting import at_once, going_on
from daskgmm.cli.models import mixture_in
from daskgmm.cli.options.data import MISSING_ROWS, Data, choosing, names_in
from daskgmm.cli.options.workers import Workers
from daskgmm.cli.options.writing import OUT, check_format, cuts, float_dtype, writing
from daskgmm.cli.places import check_apart
from daskgmm.cli.reporting import tell


def columns_in(value: str) -> tuple[str | int, ...]:
    """Return the columns in a text such as temp,salt or 0,2."""
    return tuple(int(name) if name.lstrip("-").isdecimal() else name for name in names_in(value))


@command(
    short_help="Predict columns from the others: write means and variances.",
    example="daskgmm regress model.json table.parquet --targets salt --out salt.zarr",
)
@options.model_and_data
@options.several(
    "--targets", metavar="NAMES", parse=columns_in, required=True,
    help=(
        "Features of MODEL to predict from the others: names, or numbers where they have no "
        "names."
    ),
)  # fmt: skip
@OUT
@float_dtype("float32")
@cuts
@MISSING_ROWS
@choosing
@writing
def regress(
    model: str,
    data: Data,
    targets: tuple[str | int, ...],
    out: str,
    missing: str | None,
    workers: Workers,
    overwrite: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Predict the TARGETS in each row of DATA from its other features.

    For each target, the output has the conditional mean and variance; for each row, the log
    density of the given features, which is low where the prediction is an extrapolation. DATA need
    not contain the targets. If interrupted, run the same command again to resume.
    """
    check_apart({"MODEL": model, **workers.places}, {"--out": out})
    with at_once():
        from daskgmm.counting import counted
        from daskgmm.progress import show_pass

    parquet = check_format(out, data.path, settings)
    mixture = mixture_in(data.address(model), missing)
    known, _, called = mixture._regressing(targets)
    x = data.for_mixture(known, keyed=parquet, keys=settings.get("key"))
    if hasattr(known, "feature_dims_"):  # as --features says
        mixture.feature_dims_ = known.feature_dims_
    settings |= {"overwrite": overwrite, "storage_options": data.storage_options}
    with (
        workers.current(),
        going_on(data.address(out)),
        show_pass("regression", quiet=quiet) as progress,
    ):
        write = mixture.regress_to_parquet if parquet else mixture.regress_to_zarr
        written = write(x, out, targets, progress=progress, **settings)
    if not quiet:
        names = ", ".join(map(str, called))
        tell(f"{written.path}: {counted(written.rows, 'row')} ({names})")
