"""Table of covariance structures by name, for estimators, files, the command line and tests.

`STRUCTURES[MyStructure.name] = MyStructure()` adds one. Those of `FAMILIES` are found by names with
a number of factors, as "ppca-3", and are not listed. On a cluster, workers must be able to
import its module; they do not read the table.
"""

from __future__ import annotations

from daskgmm.gaussian.covariance.eigen.common_axes import CommonAxes, CommonAxesEqualVolumes
from daskgmm.gaussian.covariance.eigen.equal_shapes import (
    EqualEigenvalues,
    EqualShapes,
    EqualShapesAlongAxes,
    Proportional,
)
from daskgmm.gaussian.covariance.eigen.equal_volumes import EqualVolumes, EqualVolumesAlongAxes
from daskgmm.gaussian.covariance.eigen.free import (
    Diagonal,
    Full,
    SharedAxes,
    SharedSphere,
    Spherical,
    Tied,
)
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES, family_of
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.parameters import Parameters
from daskgmm.names import NAMES_OF_MCLUST


class Structures(dict[str, Structure]):
    """Structures by name; one of a family, as "ppca-3", is made when it is asked for."""

    def __missing__(self, name: str) -> Structure:
        """Return the structure of a family; raise `KeyError` for another name."""
        found = family_of(name)
        if found is None:
            raise KeyError(name)
        family, q = found
        return FAMILIES[family](q)


STRUCTURES = Structures(
    (structure.name, structure)
    for structure in (
        Full(),
        Tied(),
        Diagonal(),
        Spherical(),
        SharedSphere(),
        SharedAxes(),
        EqualShapesAlongAxes(),
        EqualVolumesAlongAxes(),
        Proportional(),
        CommonAxesEqualVolumes(),
        CommonAxes(),
        EqualEigenvalues(),
        EqualShapes(),
        EqualVolumes(),
    )
)


def structure_name(given: str) -> str:
    """Return the name in the table of what may be given by mclust's; others as they are."""
    return given if given in STRUCTURES else NAMES_OF_MCLUST.get(given, given)


def structure_of(parameters: Parameters) -> Structure:
    """Return the structure of the parameters."""
    return STRUCTURES[parameters.structure]


def n_parameters(structure: Structure, k: int, d: int, *, equal_weights: bool = False) -> int:
    """Return the number of free parameters of a mixture: weights, means, covariances."""
    weights = 0 if equal_weights else k - 1
    means = structure.n_mean_parameters(k, d)
    return weights + means + structure.n_covariance_parameters(k, d)
