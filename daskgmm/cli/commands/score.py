"""``daskgmm score``."""

from __future__ import annotations

import json
from typing import Any

import click

import daskgmm.cli.options.common as options
from daskgmm.cli.command import command
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.completing import PLACE
from daskgmm.cli.options.data import LABELS, MISSING_ROWS, NOISE_VARIANCE, Data, choosing, weighing
from daskgmm.cli.options.importing import IMPORT
from daskgmm.cli.options.workers import Workers, running
from daskgmm.cli.places import check_apart

UNITS = {"log_likelihood": "nats a row", "n": "rows that count", "accuracy": "of labelled rows"}
"""What stands behind the figures."""


@command(
    short_help="Say how well a model fits data: likelihood, criteria, accuracy.",
    example="daskgmm score model.json pixels.zarr",
)
@click.argument("model", type=PLACE)
@click.argument("data", type=PLACE)
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
    """Say how likely the rows of DATA are under MODEL, in one pass.

    Of a mixture with BIC, AIC and ICL; of a classifier with --labels it is the accuracy, the part
    of the labelled rows whose class is predicted. DATA are opened as they were for the fit; options
    say otherwise.
    """
    data.check_meaning(weights_are)
    with at_once():
        from daskgmm.models.classifying.classifier import GaussianMixtureClassifier
        from daskgmm.models.classifying.loading import load_fitted

    check_apart({"MODEL": model, **data.places, **workers.places}, {})
    fitted: Any = load_fitted(model, data.storage_options)
    classifies = isinstance(fitted, GaussianMixtureClassifier)
    _check_options(data, classifies=classifies)
    mixture = fitted.mixture_ if classifies else fitted
    if missing is not None:
        mixture.set_params(missing=missing)
    x = data.for_mixture(mixture)
    weights = data.sample_weight(x)
    with workers.current():
        if data.labels is not None:
            given = x, data.labels_of(x), weights
            found = {"accuracy": fitted.score(*given, noise_variance=data.noise())}
        elif classifies or not hasattr(mixture, "bic"):
            predicts = fitted._predicting() if classifies else fitted
            likelihood = predicts.score(x, None, weights, noise_variance=data.noise())
            found = {"log_likelihood": likelihood}
        else:
            beside = x, weights, weights_are, data.noise()
            found = mixture._criteria_of(*beside, disorder=True).as_dict()
    click.echo(json.dumps(found, indent=1) if as_json else _shown(found))


def _check_options(data: Data, *, classifies: bool) -> None:
    """Raise `click.UsageError` for what goes with the other kind of model alone."""
    if data.labels is not None and not classifies:
        raise click.UsageError(
            "--labels is for a classifier, and MODEL is a mixture, whose score is the likelihood. "
            "Leave it out, or fit a classifier (daskgmm fit --classifier)."
        )


def _shown(found: dict[str, Any]) -> str:
    """Return a line for each figure."""
    return "\n".join(
        f"{name:14}  {value:>16,.10g}  {UNITS.get(name, '')}".rstrip()
        for name, value in found.items()
    )
