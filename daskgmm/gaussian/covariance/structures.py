"""Table of covariance structures by name, for estimators, files, the command line and tests.

`STRUCTURES[MyStructure.name] = MyStructure()` adds one. On a cluster, workers must be able to
import its module; they do not read the table.
"""

from __future__ import annotations

from daskgmm.gaussian.covariance.diagonal import Diagonal
from daskgmm.gaussian.covariance.full import Full
from daskgmm.gaussian.covariance.spherical import Spherical
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.tied import Tied
from daskgmm.gaussian.parameters import Parameters

STRUCTURES: dict[str, Structure] = {
    structure.name: structure for structure in (Full(), Tied(), Diagonal(), Spherical())
}


def structure_of(parameters: Parameters) -> Structure:
    """Return the structure of the parameters."""
    return STRUCTURES[parameters.structure]


def n_parameters(structure: Structure, k: int, d: int) -> int:
    """Return the number of free parameters of a mixture: weights, means, covariances."""
    return k - 1 + k * d + structure.n_covariance_parameters(k, d)
