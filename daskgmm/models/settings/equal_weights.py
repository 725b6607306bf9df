"""Settings of mixtures whose mixing proportions are fixed at 1 / k."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskgmm.em.settings import Settings
from daskgmm.errors import SettingError
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.priors.table import prior_of


def check_equal_weights(mixture: Any) -> None:
    """Raise `SettingError` for weights to start from that would not be kept."""
    if mixture.equal_weights and mixture.weights_init is not None:
        raise SettingError(
            "equal_weights=True fixes the weights at 1 / n_components, and weights_init gives "
            "others to start from. Leave out one of them."
        )


def check_prior_of_weights(settings: Settings, columns: int) -> None:
    """Raise `SettingError` for a prior of weights that are fixed, for rows of so many columns."""
    if not settings.equal_weights or settings.prior is None:
        return
    if isinstance(settings.pca, float) and not isinstance(settings.prior, str):
        return  # how many features its arrays are for is known after the survey
    k, d = settings.n_components, settings.n_features(columns)
    pseudo = prior_of(settings.prior).pseudo_moments(
        k, np.zeros(d), np.eye(d), STRUCTURES[settings.structure]
    )
    if pseudo.counts.any():
        raise SettingError(
            f"equal_weights=True fixes the weights, and prior={settings.prior_name!r} is a prior "
            "of them. Set equal_weights=False, or a prior of means and covariances alone, as "
            "prior='conjugate'."
        )


def has_equal_weights(mixture: Any) -> bool:
    """Return whether the weights of a fitted mixture were fixed, whatever its settings are now."""
    ended = mixture._ended_with
    return bool(mixture.equal_weights if ended is None else ended.equal_weights)
