"""What EM raises, as far as settings tell: bounds of fits compare where it is the same."""

from __future__ import annotations

from dataclasses import dataclass

from daskgmm.em.fingerprint import prior_digest
from daskgmm.em.settings import Settings


@dataclass(frozen=True, slots=True)
class Objective:
    """What, beside the rows, decides what EM raises: by default the likelihood.

    Attributes
    ----------
    noise : float
        Variance of the noise of the rows, as in `Settings`.
    prior : str or None
        Name of the prior; None for the likelihood.
    density : str or None
        Digest of the prior's density; None if unknown.
    weights_are : str or None
        Meaning of the weights, as in `Settings`.
    """

    noise: float = 0.0
    prior: str | None = None
    density: str | None = None
    weights_are: str | None = None

    @classmethod
    def of(cls, settings: Settings, columns: int) -> Objective:
        """Return the objective of a fit to rows of so many columns."""
        density = prior_digest(settings, columns)
        return cls(settings.noise, settings.prior, density, settings.weights_are)
