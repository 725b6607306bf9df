"""``daskgmm score``."""

from __future__ import annotations

from typing import Any

import click

from daskgmm.cli.data import LABELS, Data, choosing, weighing
from daskgmm.cli.importing import IMPORT
from daskgmm.cli.interrupting import at_once
from daskgmm.cli.places import check_apart
from daskgmm.cli.workers import Workers, running


@click.command(short_help="Say how well a model does on data: accuracy, or likelihood.")
@click.argument("model")
@click.argument("data")
@choosing
@weighing
@LABELS
@running
@IMPORT
def score(model: str, data: Data, workers: Workers) -> None:
    """Say how well MODEL does on DATA, in one pass.

    Of a classifier with --labels it is the accuracy: the part of the labelled rows whose class is
    predicted. Of others it is the mean log-likelihood of the rows, in nats a row. DATA are opened
    as they were for the fit; options say otherwise.
    """
    with at_once():
        from daskgmm.models.classifying.classifier import GaussianMixtureClassifier
        from daskgmm.models.classifying.loading import load_fitted

    check_apart({"MODEL": model, **data.places, **workers.places}, {})
    fitted: Any = load_fitted(model, data.storage_options)
    classifies = isinstance(fitted, GaussianMixtureClassifier)
    if data.labels is not None and not classifies:
        raise click.UsageError(
            "--labels is for a classifier, and MODEL is a mixture, whose score is the likelihood. "
            "Leave it out, or fit a classifier (daskgmm fit --classifier)."
        )
    mixture = fitted._predicting() if classifies else fitted
    x = data.for_mixture(mixture)
    weights, labels = data.sample_weight(x), data.labels_of(x)
    with workers.current():
        if labels is not None:
            click.echo(f"accuracy {fitted.score(x, labels, weights):.6g}")
        else:
            click.echo(f"log-likelihood {mixture.score(x, None, weights):.8g} nats a row")
