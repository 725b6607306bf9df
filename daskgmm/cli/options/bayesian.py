"""Options of the variational posterior of a mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from daskgmm.cli.interrupting import at_once
from daskgmm.cli.options.common import Command, added
from daskgmm.names import FLOAT64, WEIGHT_PRIORS

if TYPE_CHECKING:
    from daskgmm.models.fitting.estimator import MixtureEstimator

WITHOUT = {
    "n_factors": None, "noise": False, "tails": None, "prior": None, "equal_weights": False,
    "precision": FLOAT64, "n_candidates": None,
}  # fmt: skip
"""Settings of point estimates alone, as they are where nothing is said."""

POSITIVE = click.FloatRange(0, min_open=True)

BAYESIAN = click.option(
    "--bayesian", "weight_concentration_prior_type",
    type=click.Choice(WEIGHT_PRIORS),
    help=(
        "Fit a variational Bayesian mixture with this prior on the weights. -k is the largest "
        "number of components; those that are not needed get no rows."
    ),
)  # fmt: skip
CONCENTRATION = click.option(
    "--weight-concentration-prior", type=POSITIVE,
    help=(
        "With --bayesian: concentration of the prior on the weights; the lower, the fewer "
        "components have rows.  [default: 1/k]"
    ),
)  # fmt: skip
MEAN_PRECISION = click.option(
    "--mean-precision-prior", type=POSITIVE,
    help="With --bayesian: number of rows that the prior on the means is worth.  [default: 1]",
)  # fmt: skip
DEGREES = click.option(
    "--degrees-of-freedom-prior", type=POSITIVE,
    help=(
        "With --bayesian: degrees of freedom of the prior on the precisions, above d - 1.  "
        "[default: d]"
    ),
)  # fmt: skip

NUMBERS = ("weight_concentration_prior", "mean_precision_prior", "degrees_of_freedom_prior")


def bayesian(command: Command) -> Command:
    """Add the options of Bayesian mixtures to a command."""
    return added(command, BAYESIAN, CONCENTRATION, MEAN_PRECISION, DEGREES)


def estimator_of(settings: dict[str, Any]) -> MixtureEstimator:
    """Return the estimator that options ask for; raise `UsageError` if they do not go together."""
    maximum = settings["weight_concentration_prior_type"] is None
    if maximum and (alone := _given(settings, dict.fromkeys(NUMBERS))):
        raise click.UsageError(f"{alone} goes with --bayesian. Give both, or neither.")
    if not maximum and (clash := _given(settings, WITHOUT)):
        raise click.UsageError(f"{clash} is not of a Bayesian mixture. Leave it or --bayesian out.")
    with at_once():
        from daskgmm.models.bayesian_mixture import BayesianGaussianMixture
        from daskgmm.models.gaussian_mixture import GaussianMixture

    if maximum:
        others = {*NUMBERS, "weight_concentration_prior_type"}
        return GaussianMixture(**{name: settings[name] for name in settings.keys() - others})
    return BayesianGaussianMixture(
        **{name: settings[name] for name in settings.keys() - WITHOUT.keys()}
    )


def _given(settings: dict[str, Any], defaults: dict[str, Any]) -> str | None:
    """Return the option of the first setting that is not its default."""
    for name, default in defaults.items():
        if settings[name] != default:
            return "--" + name.replace("_", "-")
    return None
