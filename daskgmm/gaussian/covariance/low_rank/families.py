"""Table of structures with a number of factors, by what users call them."""

from __future__ import annotations

from daskgmm.gaussian.covariance.low_rank.common_factors import CommonFactors
from daskgmm.gaussian.covariance.low_rank.factors import FactorAnalysers, PrincipalComponents
from daskgmm.gaussian.covariance.low_rank.structure import LowRankStructure, name_of

FAMILIES: dict[str, type[LowRankStructure]] = {
    family.family: family for family in (PrincipalComponents, FactorAnalysers, CommonFactors)
}


def family_of(name: str) -> tuple[str, int] | None:
    """Return the family and the number of factors that a structure's name says; None of others."""
    family, _, digits = name.rpartition("-")
    if family not in FAMILIES or not digits.isdecimal():
        return None
    q = int(digits)
    return (family, q) if q >= 1 and name_of(family, q) == name else None
