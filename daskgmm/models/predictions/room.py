"""What is asked of mixtures that make room for outliers alone."""

from __future__ import annotations

from collections.abc import Sequence

from daskgmm.errors import SettingError
from daskgmm.gaussian.parameters import Parameters
from daskgmm.readers import remedy

OF_OUTLIERS = ("outlier", "outlier_probability")
"""Outputs of them."""


def check_room(parameters: Parameters, names: Sequence[str]) -> None:
    """Raise `SettingError` for outputs of outliers of a mixture that has none: all were zeros."""
    asked = [name for name in names if name in OF_OUTLIERS]
    if not asked or parameters.makes_room:
        return
    fit = remedy("noise=True or tails='contaminated' or 't'", "--noise or --tails")
    rank = remedy("density_rank(X)", "--outputs log_density")
    raise SettingError(
        f"output {asked[0]!r} needs a mixture with room for outliers, and this one has none: each "
        f"row belongs to one of its components. Fit with {fit}; or {rank} says how unusual each "
        "row is."
    )
