"""``daskgmm score``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.models import fitted_in
from daskgmm.cli.options.completing import PLACE
from daskgmm.cli.options.data import MISSING_ROWS, NOISE_VARIANCE, Data, choosing, weighing
from daskgmm.cli.options.importing import IMPORT
from daskgmm.cli.options.workers import Workers, running
from daskgmm.cli.places import check_apart

if TYPE_CHECKING:
    from daskgmm.models.classifying.accuracy import Hits

UNITS = {"log_likelihood": "nats per row", "n": "rows that count"}
"""What stands behind the figures."""


LABELS = click.option(
    "--labels", metavar="COLUMN|PATH", type=PLACE,
    help=(
        "Known row labels: a column or variable of DATA, or an array (Zarr or .npy); -1, NaN or "
        "null where unknown. A classifier takes its classes, a mixture any groups."
    ),
)  # fmt: skip


@command(
    short_help="Score data under a model: likelihood, criteria, known labels.",
    example="daskgmm score model.json pixels.zarr",
)
@options.model_and_data
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@MISSING_ROWS
@choosing
@weighing
@options.weights_are
@LABELS
@NOISE_VARIANCE
@running
@IMPORT
def score(
    model: str,
    data: Data,
    missing: str | None,
    weights_are: str | None,
    workers: Workers,
    as_json: bool,
) -> None:
    """Compute in one pass how likely the rows of DATA are under MODEL.

    For a mixture, this includes BIC, AIC and ICL. With --labels, it instead measures agreement
    with known labels: for a classifier the accuracy (the fraction of labelled rows with the right
    class), for a mixture the adjusted Rand index and a table of rows by both labels. DATA are
    opened as for the fit, unless options say otherwise.
    """
    data.check_meaning(weights_are)
    check_apart({"MODEL": model, **data.places, **workers.places}, {})
    fitted, mixture = fitted_in(data.address(model), missing)
    classifies = fitted is not mixture
    if not classifies:
        _check_of_mixture(data)
    x = data.for_mixture(mixture)
    weights = data.sample_weight(x)
    with workers.current():
        if data.labels is not None and not classifies:
            agreed = mixture.label_agreement(x, data.labels_of(x), noise_variance=data.noise())
            click.echo(json.dumps(agreed.as_dict(), indent=1) if as_json else repr(agreed))
            return
        if data.labels is not None:
            hits = fitted._hits(x, data.labels_of(x), weights, data.noise())
            if not as_json:
                click.echo(_accuracy(hits, weights is not None))
                return
            found = {"accuracy": hits.accuracy}
        elif classifies or not hasattr(mixture, "bic"):
            predicts = fitted._predicting() if classifies else fitted
            likelihood = predicts.score(x, None, weights, noise_variance=data.noise())
            found = {"log_likelihood": likelihood}
        else:
            beside = x, weights, weights_are, data.noise()
            found = mixture._criteria_of(*beside, disorder=True).as_dict()
    click.echo(json.dumps(found, indent=1) if as_json else _shown(found))


def _accuracy(hits: Hits, weighted: bool) -> str:
    """Return the accuracy, and of how many rows it is."""
    right, labelled = (f"{value:,.10g}" for value in (hits.right, hits.labelled))
    rows = "by the weight of labelled rows" if weighted else "labelled rows"
    return f"accuracy  {hits.accuracy:.4f}  {right} of {labelled} {rows}"


def _check_of_mixture(data: Data) -> None:
    """Raise `click.UsageError` for weights where rows are counted."""
    if data.labels is not None and (data.weights or data.weight_column):
        raise click.UsageError(
            "The adjusted Rand index counts rows, which have no weights there. Leave out --weights "
            "or --weight-column, or --labels."
        )


def _shown(found: dict[str, Any]) -> str:
    """Return a line for each figure."""
    return "\n".join(
        f"{name:14}  {value:>16,.10g}  {UNITS.get(name, '')}".rstrip()
        for name, value in found.items()
    )
