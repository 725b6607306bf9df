"""Model files that commands read."""

from __future__ import annotations

from typing import Any

from daskgmm.cli.interrupting import at_once
from daskgmm.storage.address import Address


def fitted_in(address: Address, missing: str | None = None) -> tuple[Any, Any]:
    """Read a model file, and say what becomes of rows that miss a value, if not as in the fit.

    Returns
    -------
    fitted, mixture : GaussianMixtureClassifier or MixtureEstimator, MixtureEstimator
        What the file holds, and the mixture in it; they are the same unless it is a classifier.
    """
    with at_once():
        from daskgmm.models.classifying.loading import load_fitted
    return _missing(load_fitted(address), missing)


def mixture_in(address: Address, missing: str | None = None) -> Any:
    """Read the file of a mixture, as `fitted_in`; that of a classifier is refused."""
    with at_once():
        from daskgmm.models.model_file import read_model
    return _missing(read_model(address), missing)[1]


def _missing(fitted: Any, missing: str | None) -> tuple[Any, Any]:
    mixture = getattr(fitted, "mixture_", fitted)
    if missing is not None:
        mixture.set_params(missing=missing)
    return fitted, mixture
