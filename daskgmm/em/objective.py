"""Objective of EM, by its settings: bounds of fits with the same objective compare."""

from __future__ import annotations

from dataclasses import dataclass

from daskgmm.em.checkpoints.fingerprint import prior_digest
from daskgmm.em.settings import Settings
from daskgmm.gaussian.priors.weight_prior import WEIGHT_PRIORS


@dataclass(frozen=True, slots=True)
class Objective:
    """Settings that, beside the rows, define the objective: by default the likelihood.

    Attributes
    ----------
    noise : float
        Variance of the noise of the rows, as in `Settings`.
    prior : str or None
        Name of the prior, for a Bayesian mixture that of the weights; None for the likelihood.
    density : str or None
        Digest of the prior's density, or of hyperparameters; None if unknown.
    weights_are : str or None
        Meaning of the weights, as in `Settings`.
    equal_weights : bool
        Whether mixing proportions are fixed: it is raised over fewer parameters then.
    labels : bool
        Whether classes of rows are known: their densities are those of their class alone.
    """

    noise: float = 0.0
    prior: str | None = None
    density: str | None = None
    weights_are: str | None = None
    equal_weights: bool = False
    labels: bool = False

    @classmethod
    def of(cls, settings: Settings, columns: int) -> Objective:
        """Return the objective of a fit to rows of so many columns."""
        density = prior_digest(settings, columns)
        said, equal = settings.weights_are, settings.equal_weights
        labels = settings.labelling is not None
        return cls(settings.noise, settings.prior_name, density, said, equal, labels)


def objective_name(prior: str | None, noise: float = 0.0) -> str:
    """Return what EM raises, in words; `prior` and `noise` are as of `Objective`.

    That of rows with noise is less than the log likelihood of the rows, which `score` returns.
    """
    if prior is None:
        return "objective" if noise else "log likelihood"
    return "variational bound" if prior in WEIGHT_PRIORS else "log posterior"
