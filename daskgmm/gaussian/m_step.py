"""The M-step: maximum likelihood parameters from the moments of a pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.precision import SingularError
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters

FIRST_RIDGE = 64
"""First ridge, in units of d eps times the largest variance: far above the noise of a pivot. It is
nearly always enough, so that the likelihood does not jump with its size between iterations."""

LARGEST_RIDGE = 1e3
"""Largest ridge, in units of the largest variance."""

ILL_DEFINED = (
    "Fitting the mixture model failed because some components have ill-defined empirical "
    "covariance (for instance caused by singleton or collapsed samples). Try to decrease the "
    "number of components, increase reg_covar, or scale the input data."
)


class IllDefinedError(ValueError):
    """A covariance is singular, and the settings allow no ridge."""


@dataclass(frozen=True, slots=True)
class Maximised:
    """The outcome of an M-step.

    Attributes
    ----------
    parameters : Parameters
    empty : tuple of int
        Components without rows: they keep their mean and covariance.
    ridges : dict of int or None to float
        Amount beyond `reg_covar` that the diagonal of a component's covariance (None: of the
        shared one) needed to be invertible.
    collapsed : tuple of int or None
        Components whose covariance became singular with a `reg_covar` of 0: they keep their last
        one, so that the likelihood does not fall.
    """

    parameters: Parameters
    empty: tuple[int, ...] = ()
    ridges: Mapping[int | None, float] = field(default_factory=dict)
    collapsed: tuple[int | None, ...] = ()


def maximise(
    moments: Moments,
    structure_name: str,
    reg_covar: float,
    fallback: Parameters,
    first: bool = False,
    least: Array | None = None,
) -> Maximised:
    r"""Return the parameters that maximise the expected log-likelihood.

    With moments about the points :math:`r_k`: :math:`\delta_k = S_k / N_k`,
    :math:`\mu_k = r_k + \delta_k`, :math:`\Sigma_k = SS_k / N_k - \delta_k \delta_k^T`
    (Bishop 2006, 9.24-9.26; Celeux & Govaert 1995 for the other structures). As in
    scikit-learn, `reg_covar` is then added to the diagonals. That maximises the likelihood of rows
    with noise of that variance (`kernel.Kernel`); the one without may fall by about as much.

    Parameters
    ----------
    moments : Moments
    structure_name : str
    reg_covar : float
        Non-negative, in squared units of the data.
    fallback : Parameters
        Parameters of the pass, for components without rows.
    first : bool
        Whether this is the start, without an earlier covariance to keep.
    least : ndarray of shape (d,), optional
        Variances of the columns below which a component has collapsed if `reg_covar` is 0: a
        component of equal values shrinks with each step, but is never singular to rounding.

    Raises
    ------
    IllDefinedError
        If a covariance of the start is singular and `reg_covar` is 0, or one is not finite.
    """
    structure, d = STRUCTURES[structure_name], moments.reference.shape[1]
    counts, empty = moments.counts, moments.empty
    covariances = np.asarray(structure.maximise(moments), np.float64)
    expected = structure.covariance_shape(len(counts), d)
    if covariances.shape != expected:
        raise TypeError(
            f"{type(structure).__name__}.maximise returned covariances of shape "
            f"{covariances.shape} for {len(counts)} components of {d} features; their shape is "
            f"{expected}."
        )
    covariances = structure.precision.raised(covariances, reg_covar)
    means = means_of(moments, fallback)
    if empty.any() and not structure.shared:
        covariances[empty] = fallback.covariances[empty]
    narrow: list[int] = []
    if reg_covar == 0 and least is not None and not first:
        narrow = _below(structure, covariances, least)
        covariances[narrow] = fallback.covariances[narrow]
    covariances, factors, ridges, collapsed = factorise(
        structure, covariances, d, reg_covar, None if first else fallback.covariances
    )
    collapsed = tuple(dict.fromkeys((*map(structure.component, narrow), *collapsed)))
    parameters = Parameters(structure_name, counts / counts.sum(), means, covariances, factors)
    empties = tuple(int(k) for k in np.flatnonzero(empty))
    return Maximised(parameters, empties, ridges, collapsed)


def means_of(moments: Moments, fallback: Parameters) -> Array:
    """Return the means (k, d) of `maximise`, without the covariances."""
    means: Array = np.where(
        moments.empty[:, None], fallback.means, moments.reference + moments.shifts
    )
    return means


def _below(structure: Structure, covariances: Array, least: Array) -> list[int]:
    """Return the indices of covariances with a variance below `least` (d,)."""
    low = (structure.precision.diagonals(covariances, len(least)) < least).any(axis=1)
    return list(map(int, np.flatnonzero(low)))


def factorise(
    structure: Structure, covariances: Array, d: int, reg_covar: float, last: Array | None
) -> tuple[Array, Array, dict[int | None, float], tuple[int | None, ...]]:
    """Return covariances, the factors of their inverses, the ridges and the collapsed components.

    On data of a large scale rounding can outweigh `reg_covar`, which is absolute. Such a covariance
    gets the first ridge of a series, relative to its largest variance, that makes it invertible.
    With a `reg_covar` of 0 there is no ridge: the component keeps its `last` covariance.
    """
    precision, first = structure.precision, FIRST_RIDGE * d * float(np.finfo(np.float64).eps)
    ridges: dict[int | None, float] = {}
    variances: dict[int | None, float] = {}
    collapsed: list[int | None] = []
    while True:
        try:
            return covariances, precision.factorise(covariances), ridges, tuple(collapsed)
        except SingularError as error:
            index, k = error.index, structure.component(error.index)
            # Taken before any ridge, which may raise a negative one to exactly 0.
            variance = variances.setdefault(k, precision.largest_variance(covariances, index, d))
            if reg_covar == 0 and last is not None and k not in collapsed and np.isfinite(variance):
                collapsed.append(k)
                covariances = covariances.copy()
                covariances[index] = last[index]
                continue
            before = ridges.get(k, 0.0)
            ridges[k] = 4 * before or first * variance
            if reg_covar == 0 or not ridges[k] < LARGEST_RIDGE * variance:
                raise IllDefinedError(ILL_DEFINED) from error
            covariances = precision.raised(covariances, ridges[k] - before, index)
