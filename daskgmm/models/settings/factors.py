"""The number of factors of each component, as a setting and in names of structures."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from daskgmm.em.settings import Settings
from daskgmm.errors import DataError, SettingError
from daskgmm.gaussian.covariance.algebra.projections import MOST_PRODUCTS
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES, family_of
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure, name_of
from daskgmm.gaussian.covariance.structures import STRUCTURES, structure_name
from daskgmm.gaussian.tails.tails import TAILS


def name_with_factors(covariance_type: str, n_factors: Any) -> str:
    """Return the name in `STRUCTURES` that settings stand for."""
    if covariance_type in FAMILIES:
        return name_of(covariance_type, n_factors)
    return structure_name(covariance_type)


def settings_of(structure: str) -> dict[str, Any]:
    """Return the settings that stand for the name of a structure: the inverse."""
    family, q = family_of(structure) or (structure, None)
    return {"covariance_type": family, "n_factors": q}


def check_factors(covariance_type: str, n_factors: Any) -> None:
    """Raise `SettingError` unless there is a number of factors just where one is needed."""
    if covariance_type not in FAMILIES:
        if n_factors is not None:
            raise SettingError(
                f"n_factors={n_factors!r} is given with covariance_type={covariance_type!r}, which "
                f"has no factors. Leave it out, or set covariance_type to one of "
                f"{', '.join(map(repr, FAMILIES))}."
            )
    elif isinstance(n_factors, bool) or not isinstance(n_factors, Integral) or n_factors < 1:
        raise SettingError(
            f"n_factors is {n_factors!r}, and covariance_type={covariance_type!r} needs a number "
            "of factors: a whole number from 1 to one less than there are features."
        )


def check_factors_of(settings: Sequence[Settings], columns: int) -> None:
    """Raise `DataError` for settings of factors that cannot be fitted to so many columns.

    Raise `SettingError` for those that cannot be fitted to any.
    """
    for each in settings:
        d, structure = each.n_features(columns), STRUCTURES[each.structure]
        check_enough_features([each.structure], d)
        if structure.constrains_means and (each.prior is not None or each.outliers in TAILS):
            what = f"prior={each.prior_name!r}" if each.prior else f"tails={each.outliers!r}"
            raise SettingError(
                f"{what} cannot be fitted with {each.structure!r}, whose means and covariances "
                "have a subspace in common. Fit without it, or use covariance_type='factor'."
            )
        if not (isinstance(structure, LowRankStructure) and structure.is_projected(d)):
            continue
        if each.prior is not None or each.outliers in TAILS:
            what = f"prior={each.prior_name!r}" if each.prior else f"tails={each.outliers!r}"
            raise DataError(
                f"{what} cannot be fitted with {structure.q} factors of {d} features: it needs "
                f"second moments of all pairs, which are kept up to {MOST_PRODUCTS} features. Fit "
                "without it, or to fewer columns (pca)."
            )


def check_enough_features(structures: Sequence[str], features: int) -> None:
    """Raise `DataError` if a structure has as many factors as the model has features, or more."""
    for structure in structures:
        q = settings_of(structure)["n_factors"]
        if q is not None and q >= features:
            raise DataError(
                f"n_factors is {q}, and the model has {features} features. Give fewer factors than "
                f"features, or use covariance_type='full'."
            )
