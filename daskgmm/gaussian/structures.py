"""The covariance structures by name: the only table of them."""

from __future__ import annotations

from types import MappingProxyType

from daskgmm.gaussian.diagonal import Diagonal
from daskgmm.gaussian.full import Full
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.spherical import Spherical
from daskgmm.gaussian.structure import Structure
from daskgmm.gaussian.tied import Tied

STRUCTURES: MappingProxyType[str, Structure] = MappingProxyType(
    {structure.name: structure for structure in (Full(), Tied(), Diagonal(), Spherical())}
)


def structure_of(parameters: Parameters) -> Structure:
    """Return the structure that the parameters have."""
    return STRUCTURES[parameters.structure]


def n_parameters(structure: Structure, k: int, d: int) -> int:
    """Return the number of free parameters of a mixture: weights, means, covariances."""
    return k - 1 + k * d + structure.n_covariance_parameters(k, d)
