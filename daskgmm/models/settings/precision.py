"""Precision of passes: what may be asked for, and what a fit had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daskgmm.em.settings import Settings
from daskgmm.errors import SettingError
from daskgmm.names import FLOAT64
from daskgmm.passes.configuration import backend
from daskgmm.readers import remedy

STRUCTURES_OF_SINGLE = ("full", "tied", "diag", "spherical")
"""Covariance structures whose passes may be in float32."""


def check_precision(settings: Sequence[Settings], *, noisy: bool = False) -> None:
    """Raise `SettingError` for fits whose passes cannot be in float32, if that was asked for.

    `noisy` says that the noise of rows is known.
    """
    for each in settings:
        because = None if each.precision == FLOAT64 else _needs_float64(each, noisy)
        if because is not None:
            raise SettingError(
                f"precision='float32' does not go with these settings: {because}. "
                f"{remedy('Set precision=' + repr(FLOAT64), 'Leave --precision out')}: passes in "
                "float64 are at least as exact, and take longer."
            )


def _needs_float64(settings: Settings, noisy: bool) -> str | None:
    """Return why all passes of a fit are in float64, or None if they need not be."""
    if not backend().has_single:
        return (
            "only the compiled kernel has float32, and this process has another (`daskgmm plan` "
            "tells which)"
        )
    if settings.structure not in STRUCTURES_OF_SINGLE:
        of_single = ", ".join(STRUCTURES_OF_SINGLE)
        return f"covariance_type={settings.structure!r} is not one of {of_single}"
    if settings.bayesian is not None:
        return "the bound of a Bayesian mixture needs float64"
    if settings.outliers is not None:
        return "tails and noise need float64"
    if settings.labelling is not None:
        return "fits with labels need float64"
    if settings.marginalise:
        return "missing='marginalise' needs float64"
    return "known noise of rows needs float64" if noisy else None


def precisions_of(mixture: Any) -> str | None:
    """Return in words how many passes of a fit were in float32; None if that was not asked for.

    The iterations are those of the start that was kept.
    """
    single = (getattr(mixture, "history_", None) or {}).get("in_float32", ())
    if not any(single):
        asked = getattr(mixture, "precision", FLOAT64) != FLOAT64
        return "float64 in all iterations, though float32 was asked for" if asked else None
    then = "" if single[-1] else ", then float64"
    return f"float32 in {sum(single)} of {len(single)} iterations{then}"
