"""Classifiers on the command line: which options they have, and how they are fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

import daskgmm.cli.options.common as options
from daskgmm.cli.interrupting import at_once
from daskgmm.counting import counted
from daskgmm.names import ALL

if TYPE_CHECKING:
    from daskgmm.models.classifying.classifier import GaussianMixtureClassifier

CLASSIFIER = click.option(
    "--classifier", is_flag=True,
    help="Fit one mixture for each class in --labels, with -k components each.  [default of -k: 1]",
)  # fmt: skip
STRUCTURES = click.option(
    "--structures", type=click.Choice(["shared", "own"]), default="shared", show_default=True,
    help=(
        "With --classifier: all classes share one covariance structure and are fitted in the "
        "same passes (shared), or each class gets the best of -k and --covariance (own)."
    ),
)  # fmt: skip


def numbers_in(value: str) -> list[float]:
    """Return the numbers in a text such as 0.2,0.8."""
    try:
        return [float(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value} is not a list of numbers such as 0.2,0.8.") from None


PRIORS = options.several(
    "--class-priors", "priors", metavar="P,...", parse=numbers_in,
    help=(
        "With --classifier: prior probabilities of the classes in sorted order, for predictions; "
        "they are divided by their sum.  [default: the class frequencies]"
    ),
)  # fmt: skip

OF_CLASSES = {"structures", "criterion", "priors"}
"""Settings that mixtures have not."""

SEVERAL = {"n_components": "--components", "covariance_type": "--covariance"}
"""Settings that may have several values, of which each class has the best."""


def classifying(command: options.Command) -> options.Command:
    """Add the options of classifiers to a command."""
    criterion = options.criterion(
        "With --structures own: the criterion that chooses the best mixture."
    )
    return options.added(command, CLASSIFIER, STRUCTURES, criterion, PRIORS)


def classifier_of(settings: dict[str, Any], labels: str | None) -> GaussianMixtureClassifier:
    """Return the classifier that options ask for; raise `UsageError` if they do not go together."""
    if labels is None:
        raise click.UsageError(
            "--classifier tells classes apart, and no labels say which there are. Name them with "
            "--labels."
        )
    with at_once():
        from daskgmm.models.classifying.classifier import SHARED, GaussianMixtureClassifier

    classifier = GaussianMixtureClassifier()
    taken = settings.keys() & classifier.get_params().keys()
    check_not_given(settings.keys() - taken)
    if settings["structures"] == SHARED and _given({"criterion"}):
        raise click.UsageError(
            "--criterion chooses a mixture for each class, with --structures own. Give both, or "
            "neither."
        )
    given = {name: settings[name] for name in taken if settings[name] is not None}
    given |= {name: _alone(given[name]) for name in SEVERAL if name in given}
    return classifier.set_params(**given)  # type: ignore[no-any-return]  # of scikit-learn


def without_classes(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a mixture; raise `UsageError` for those that are of classes."""
    alone = _given(OF_CLASSES)
    if alone is not None:
        raise click.UsageError(f"{alone} goes with --classifier. Give both, or neither.")
    left = {name: settings[name] for name in settings.keys() - OF_CLASSES}
    for name, option in SEVERAL.items():
        left[name] = _alone(left[name])
        if isinstance(left[name], (list, tuple)) or left[name] == ALL:
            raise click.UsageError(
                f"{option} has several values. Give one; or find the best of them, of a mixture "
                "with daskgmm sweep, of each class with --classifier --structures own."
            )
    return left


def _alone(values: Any) -> Any:
    """Return the only one of some values, or all of several."""
    return values[0] if values is not None and len(values) == 1 else values


def check_not_given(names: Any) -> None:
    """Raise `click.UsageError` if an option was given that a classifier has not."""
    option = _given(names)
    if option is not None:
        raise click.UsageError(f"{option} is not of a classifier. Leave it or --classifier out.")


def _given(names: Any) -> str | None:
    """Return the first option of some that the command line, or --config, has."""
    context = click.get_current_context()
    for param in context.command.params:
        source = context.get_parameter_source(str(param.name))
        if param.name in names and source is not ParameterSource.DEFAULT:
            return max(param.opts, key=len)
    return None


def fitted_classes(classifier: GaussianMixtureClassifier, x: Any, labels: Any, **how: Any) -> Any:
    """Fit a classifier; `Fitting.run` says `labels` of what is its y."""
    return classifier.fit(x, labels, **how)


def class_report(classifier: GaussianMixtureClassifier, out: str) -> str:
    """Return the result of a fit in a line, and a line for each class."""
    from daskgmm.cli.reporting import fit_report
    from daskgmm.report.model import class_table

    mixture = classifier.mixture_
    if classifier.structures == "own":
        ended = "converged" if mixture.converged_ else "stopped"
        line = (
            f"{out}: {counted(len(mixture.weights_), 'component')} in "
            f"{counted(classifier.n_features_in_, 'feature')}, each class with a mixture of its "
            f"own, the best by {classifier.criterion}, {ended} after at most "
            f"{counted(mixture.n_iter_, 'iteration')}"
        )
    else:
        line = fit_report(mixture, out)
    return f"{line}\n{class_table(classifier)}"
