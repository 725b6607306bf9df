"""The M-step: maximum likelihood parameters from the moments of a pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.errors import EntryError
from daskgmm.gaussian.covariance.algebra.precision import SingularError
from daskgmm.gaussian.covariance.algebra.scatter import Scatter
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters

FIRST_RIDGE = 64
"""First ridge, in units of d eps times the largest variance: far above the noise of a pivot. It is
nearly always enough, so that the likelihood does not jump with its size between iterations."""

LARGEST_RIDGE = 1e3
"""Largest ridge, in units of the largest variance."""

LARGEST_FACTOR = 1e150
"""Largest entry of a precision's factor: the squares of larger ones overflow."""

LEAST_VARIANCE = LARGEST_FACTOR**-2
"""Variance of rows below which they are one point in any structure: its inverse overflows."""

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
        Components without rows: they have the mean and covariance of a prior, or keep their own.
    ridges : dict of int or None to float
        Amount beyond `reg_covar` that the diagonal of a component's covariance (None: of the
        shared one) needed to be invertible.
    collapsed : tuple of int or None
        Components whose covariance became singular with a `reg_covar` of 0: they keep their last
        one, so that the likelihood does not fall.
    shares : ndarray of shape (k,), or None
        Share of the rows that each component has, where its weight is another one; None where it
        is the weight.
    trace : float or None
        Mean trace of the precision of what a row has, under the parameters before, if rows miss
        values.
    em : Parameters or None
        Those that a step along the gradient leads to, where it is not the step that was taken.
    """

    parameters: Parameters
    empty: tuple[int, ...] = ()
    ridges: Mapping[int | None, float] = field(default_factory=dict)
    collapsed: tuple[int | None, ...] = ()
    shares: Array | None = None
    trace: float | None = None
    em: Parameters | None = None


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
    (Bishop 2006, 9.24-9.26), of which a structure makes its covariances (Celeux & Govaert 1995).
    `reg_covar` is added to the diagonals before, which for structures of scikit-learn is the same
    as after. That maximises the likelihood of rows with noise of that variance (`kernel.Kernel`);
    the one without may fall by about as much. Of means that are constrained, the most likely ones
    beside the covariances are taken (`Structure.placed`).

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
    structure, counts = STRUCTURES[structure_name], moments.counts
    last = fallback.covariances
    if not (moments.mean_counts.any() or moments.scale_counts.any()):
        # A uniform component has all rows.
        return Maximised(fallback, tuple(range(len(counts))))
    weights = counts / counts.sum() if counts.any() else fallback.weights
    means = means_of(moments, fallback)
    scatter = replace(structure.scatter_of(moments, reg_covar, last), means=means)
    estimated = estimate(structure, scatter, reg_covar, last, first, least)
    means = structure.placed(means, weights, estimated.covariances)
    parameters = Parameters(
        structure_name, weights, means, estimated.covariances, estimated.factors
    )
    empties = tuple(int(k) for k in np.flatnonzero(moments.empty))
    return Maximised(parameters, empties, estimated.ridges, estimated.collapsed)


def means_of(moments: Moments, fallback: Parameters) -> Array:
    """Return the means (k, d) of `maximise`, without the covariances."""
    means: Array = np.where(
        moments.without_mean[:, None], fallback.means, moments.reference + moments.shifts
    )
    return means


@dataclass(frozen=True, slots=True)
class Estimated:
    """Covariances that can be inverted; `ridges` and `collapsed` are as of `Maximised`."""

    covariances: Array
    factors: Array
    ridges: Mapping[int | None, float] = field(default_factory=dict)
    collapsed: tuple[int | None, ...] = ()


def estimate(
    structure: Structure,
    scatter: Scatter,
    reg_covar: float,
    last: Array,
    first: bool = False,
    least: Array | None = None,
) -> Estimated:
    """Return the most likely covariances of a scatter, and the factors of their inverses.

    On data of a large scale rounding can outweigh `reg_covar`, which is absolute. The scatter of
    such a component gets the first ridge of a series, relative to its largest variance, with which
    the covariances are invertible: they stay in the structure. With a `reg_covar` of 0 there is no
    ridge. The component keeps its `last` covariance, and if the structure relates it to others all
    keep theirs: so none leaves the structure, and the likelihood does not fall.
    """
    smallest = FIRST_RIDGE * scatter.n_features * float(np.finfo(np.float64).eps)
    ridges: dict[int | None, float] = {}
    variances: dict[int | None, float] = {}
    collapsed: list[int | None] = []
    keeps = reg_covar == 0 and not first
    while True:
        try:
            covariances = _maximised(structure, scatter, last)
            narrow = _below(structure, covariances, least) if keeps and least is not None else []
            narrow = [index for index in narrow if structure.component(index) not in collapsed]
            if not narrow:
                factors = _factorised(structure, scatter, covariances)
                return Estimated(covariances, factors, ridges, tuple(collapsed))
        except SingularError as error:
            index, k = error.index, structure.component(error.index)
            # Taken before any ridge, which may raise a negative one to exactly 0.
            variance = variances.setdefault(k, _largest_variance(structure, scatter, index))
            if not keeps or k in collapsed or not np.isfinite(variance):
                before = ridges.get(k, 0.0)
                ridges[k] = 4 * before or smallest * variance
                if reg_covar == 0 or not 0 < ridges[k] < LARGEST_RIDGE * variance:
                    raise IllDefinedError(ILL_DEFINED) from error
                scatter = _raised(structure, scatter, ridges[k] - before, index)
                continue
            narrow = [index]
        collapsed.extend(map(structure.component, narrow))
        if structure.shared or not (structure.free or structure.separate):
            return _all_last(structure, last, tuple(collapsed))
        scatter = _with_last(structure, scatter, last, narrow)


def _maximised(structure: Structure, scatter: Scatter, last: Array) -> Array:
    """Return the most likely covariances; raise `EntryError` for those of another shape."""
    finite = np.isfinite(scatter.covariances).reshape(len(scatter.counts), -1).all(axis=1)
    if not finite.all():
        raise SingularError(0 if structure.shared else int(np.argmin(finite)))
    variances = structure.statistic.form.diagonals(scatter.covariances, scatter.n_features)
    if not variances.max() >= LEAST_VARIANCE:
        raise SingularError(0)
    # What overflows on the way is not finite, and so is singular.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        returned = structure.maximise(scatter, last)
    if returned is None:
        raise EntryError(
            f"{type(structure).__name__}.maximise returned None instead of covariances."
        )
    covariances = np.asarray(returned, np.float64)
    if covariances.shape != last.shape:
        raise EntryError(
            f"{type(structure).__name__}.maximise returned covariances of shape "
            f"{covariances.shape} for {len(last)} covariances of {scatter.n_features} features; "
            f"their shape is {last.shape}."
        )
    return covariances


def _factorised(structure: Structure, scatter: Scatter, covariances: Array) -> Array:
    """Return the factors of the precisions; raise `SingularError` for the scatter to blame."""
    try:
        factors = structure.precision.factorise(covariances)
        sizes = np.abs(factors).reshape(len(factors), -1).max(axis=1)
        if not (sizes <= LARGEST_FACTOR).all():
            raise SingularError(int(np.argmin(sizes <= LARGEST_FACTOR)))
        return factors
    except SingularError as error:
        blamed = structure.singular_component(scatter, covariances, error.index)
        raise SingularError(blamed) from error


def _below(structure: Structure, covariances: Array, least: Array) -> list[int]:
    """Return the indices of covariances with a variance below `least` (d,)."""
    low = (structure.precision.diagonals(covariances, len(least)) < least).any(axis=1)
    return list(map(int, np.flatnonzero(low)))


def _largest_variance(structure: Structure, scatter: Scatter, index: int) -> float:
    """Return the largest variance of a scatter, the unit of a ridge."""
    own = slice(None) if structure.shared else slice(index, index + 1)
    form = structure.statistic.form
    return float(np.abs(form.diagonals(scatter.covariances[own], scatter.n_features)).max())


def _raised(structure: Structure, scatter: Scatter, amount: float, index: int) -> Scatter:
    """Return the scatter with an amount on the diagonal of one component, or of what all share."""
    own = None if structure.shared else index
    form = structure.statistic.form
    return replace(scatter, covariances=form.raised(scatter.covariances, amount, own))


def _with_last(
    structure: Structure, scatter: Scatter, last: Array, indices: Sequence[int]
) -> Scatter:
    """Return the scatter with the last covariances of some components as theirs."""
    covariances = scatter.covariances.copy()
    kept = structure.scatter(last, scatter.counts, scatter.n_features).covariances
    covariances[indices] = kept[indices]
    return replace(scatter, covariances=covariances)


def _all_last(structure: Structure, last: Array, collapsed: tuple[int | None, ...]) -> Estimated:
    """Return the last covariances."""
    try:
        factors = structure.precision.factorise(last)
    except SingularError as error:
        raise IllDefinedError(ILL_DEFINED) from error
    return Estimated(last, factors, collapsed=collapsed)
