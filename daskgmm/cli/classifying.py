"""Classifiers on the command line: which options they have, and how they are fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from daskgmm.models.classifying.classifier import GaussianMixtureClassifier

CLASSIFIER = click.option(
    "--classifier", is_flag=True,
    help="Fit mixtures of the classes that --labels has; -k is of each.  [default of -k: 1]",
)  # fmt: skip


def classifier_of(settings: dict[str, Any], labels: str | None) -> GaussianMixtureClassifier:
    """Return the classifier that options ask for; raise `UsageError` if they do not go together."""
    from daskgmm.models.classifying.classifier import GaussianMixtureClassifier

    if labels is None:
        raise click.UsageError(
            "--classifier tells classes apart, and no labels say which there are. Name them with "
            "--labels."
        )
    classifier = GaussianMixtureClassifier()
    taken = settings.keys() & classifier.get_params().keys()
    check_not_given(settings.keys() - taken)
    given = {name: settings[name] for name in taken if settings[name] is not None}
    return classifier.set_params(**given)  # type: ignore[no-any-return]  # of scikit-learn


def check_not_given(names: Any) -> None:
    """Raise `click.UsageError` if an option was given that a classifier has not."""
    context = click.get_current_context()
    for param in context.command.params:
        source = context.get_parameter_source(str(param.name))
        if param.name in names and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{max(param.opts, key=len)} is not of a classifier. Leave it or --classifier out."
            )


def fitted_classes(classifier: GaussianMixtureClassifier, x: Any, labels: Any, **how: Any) -> Any:
    """Fit a classifier; `Fitting.run` says `labels` of what is its y."""
    return classifier.fit(x, labels, **how)


def class_report(classifier: GaussianMixtureClassifier, out: str) -> str:
    """Return the result of a fit in a line, and a line for each class."""
    from daskgmm.cli.reporting import fit_report
    from daskgmm.describe_classes import class_table

    return f"{fit_report(classifier.mixture_, out)}\n{class_table(classifier)}"
