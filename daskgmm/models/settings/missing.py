"""Treatment of rows that miss values."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from daskgmm.errors import SettingError
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.names import IMPUTED, MARGINALISE
from daskgmm.passes.transform import Transform
from daskgmm.readers import remedy


def check_missing(mixture: Any) -> None:
    """Raise `SettingError` for a mixture that cannot count rows with what they have."""
    if mixture.missing != MARGINALISE:
        return
    because = _needs_whole_rows(mixture)
    if because is not None:
        raise SettingError(
            f"missing='marginalise' does not go with these settings: {because}. Set "
            "missing='drop' (--missing drop), or leave the other setting out."
        )


def _needs_whole_rows(mixture: Any) -> str | None:
    """Return why a mixture cannot count rows with what they have, or None if it can."""
    if mixture.pca is not None:
        return "pca maps rows to axes across columns, along which a row with a gap has no place"
    if mixture.covariance_type in FAMILIES:
        return f"covariance_type={mixture.covariance_type!r} has factors of whole rows"
    if getattr(mixture, "noise", False):
        return "noise=True is uniform over the volume of whole rows"
    if getattr(mixture, "tails", None) is not None:
        return f"tails={mixture.tails!r} depend on the distances of whole rows"
    if hasattr(mixture, "weight_concentration_prior_type"):
        return "the bound of a Bayesian mixture is one for whole rows"
    return None


def check_missing_of_sweep(mixture: Any, structures: Sequence[str]) -> None:
    """Raise `SettingError` for a sweep that cannot count rows with what they have."""
    if mixture.missing != MARGINALISE:
        return
    if any(structure.partition("-")[0] in FAMILIES for structure in structures):
        raise SettingError(
            "missing='marginalise' does not go with covariance types that have factors of whole "
            f"rows. Leave out {' and '.join(FAMILIES)}, or set missing='drop' (--missing drop)."
        )


def check_whole_rows(mixture: Any, what: str) -> None:
    """Raise `SettingError` where a method of a fitted mixture takes whole rows alone."""
    if mixture.missing == MARGINALISE:
        raise SettingError(
            f"{what} takes whole rows, and this mixture has missing='marginalise'. Set "
            "missing='drop' (--missing drop), which leaves the others out"
            + remedy(": mixture.set_params(missing='drop').", ".")
        )


def check_fills(mixture: Any) -> None:
    """Raise `SettingError` if the mixture cannot take rows that miss values at all."""
    because = _needs_whole_rows(mixture)
    if because is not None:
        raise SettingError(f"impute fills the gaps of rows, and this mixture cannot: {because}.")


def check_imputes(mixture: Any) -> None:
    """Raise `SettingError` unless the mixture takes rows that miss values."""
    if mixture.missing == MARGINALISE:
        return
    check_fills(mixture)
    raise SettingError(
        f"impute fills the gaps of rows, and this mixture has missing={mixture.missing!r}. "
        "Call mixture.set_params(missing='marginalise') first."
    )


def check_seed(seed: Any, outputs: str | Sequence[str] = IMPUTED) -> int | None:
    """Return the seed of draws, or None; raise `SettingError` if it is neither, or of no output."""
    is_whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if seed is not None and not (is_whole and 0 <= seed < 2**64):
        raise SettingError(
            f"random_state is {seed!r}; give a whole number from 0 to 2^64 - 1, with which the "
            "same values are drawn each time, or None for expected values."
        )
    if seed is not None and IMPUTED not in ((outputs,) if isinstance(outputs, str) else outputs):
        raise SettingError(
            f"random_state is {seed!r}, the seed of the output {IMPUTED!r}, which is not asked "
            "for. Ask for it, or leave the seed out."
        )
    return None if seed is None else int(seed)


def transform_of(mixture: Any, coordinates: Coordinates | None) -> Transform:
    """Return the transform of rows for what a fitted mixture is asked."""
    missing = getattr(mixture, "missing", "error")
    if missing == MARGINALISE:
        check_missing(mixture)
    return Transform(missing != "error", coordinates, missing == MARGINALISE)
