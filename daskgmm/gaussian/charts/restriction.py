r"""Mixtures of structures that are narrower than their form: a surface in a `ScoreChart`.

A structure of Celeux & Govaert has covariances :math:`\Sigma_k = D_k e^{W_k} \exp(a_k) e^{-W_k}
D_k^T`, with D_k and the logarithms a_k of the eigenvalues as they are, W_k skew-symmetric, and
changes of a_k that are linear in those of volumes and shapes. With t these parameters, E(t) the
coordinates of the form, in which the log-likelihood has the slope s and the second derivatives H,
its second derivatives in t are :math:`E'^T H E' + \sum_i s_i E_i''`. The last term is not 0: at the
maximum of a structure s is orthogonal to the surface alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.charts.score_chart import SQRT_2, ScoreChart
from daskgmm.gaussian.covariance.algebra.precision import Charted
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters

EQUAL, VARIABLE, NONE = "EVI"

KINDS = {name: tuple(name) for name in ("VEI", "EVI", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV")}
"""Volume, shape and orientation of covariances: equal, variable, or along the columns."""

LEAST_ANGLE = 1e-6
"""Length of the change that a parameter makes, over the largest one, below which it makes none."""


def is_restricted(parameters: Parameters) -> bool:
    """Return whether parameters are on a surface that `Restriction` knows."""
    return structure_of(parameters).name in KINDS


@dataclass(frozen=True, eq=False)
class Restriction:
    """The surface of a structure about the parameters of a chart.

    Attributes
    ----------
    chart : ScoreChart
        Of the form, with a covariance of each component.
    basis : ndarray of shape (P, r)
        Orthonormal directions along the surface, in the coordinates of the chart.
    places : tuple of int
        Where those of covariances begin, in the chart and among the directions.
    changes : ndarray of shape (n, r - places[1])
        The parameters t that change along each of the last directions.
    axes : _Axes
    """

    chart: ScoreChart
    basis: Array
    places: tuple[int, int]
    changes: Array
    axes: _Axes

    @classmethod
    def of(cls, chart: ScoreChart, parameters: Parameters) -> Restriction:
        """Return that of parameters of a structure.

        Raises
        ------
        ValueError
            If parameters make no change, as axes of equal variance have no direction.
        """
        axes = _Axes.of(parameters)
        k, d = parameters.means.shape
        first = chart.n_weights + k * d
        slopes = np.concatenate(
            [_coordinates(chart, j, axes.derivatives(j)) for j in range(k)], axis=1
        )
        left, lengths, right = np.linalg.svd(slopes.T, full_matrices=False)
        if lengths[-1] < LEAST_ANGLE * lengths[0]:
            raise ValueError(
                "Some components have axes of equal variances, which have no direction, so that "
                f"nothing tells the errors of these in covariance_type={parameters.structure!r}. "
                "Fit a structure without orientations of its own, such as 'spherical' or 'EII'."
            )
        basis = np.zeros((chart.n_parameters, first + len(lengths)))
        basis[:first, :first] = np.eye(first)
        basis[first:, first:] = left
        return cls(chart, basis, (first, first), right.T / lengths, axes)

    def bending(self, slope: Array) -> Array:
        """Return the part of the second derivatives that bending makes, (r, r), of a slope (P,)."""
        first, (k, d) = self.places[0], self.chart.parameters.means.shape
        own = np.sqrt(self.chart.parameters.weights)[:, None] * slope[first:].reshape(k, -1)
        found = np.zeros((self.basis.shape[1],) * 2)
        total = np.zeros((len(self.changes),) * 2)
        for j in range(k):
            factor, moments = _factor(self.chart, j), _moments(own[j], d, self.chart.detail)
            whitened = factor.T @ self.axes.derivatives(j) @ factor
            n = len(whitened)
            half = (moments @ whitened).reshape(n, -1)
            total -= half @ whitened.swapaxes(1, 2).reshape(n, -1).T
            total += 0.5 * self.axes.second(j, factor @ moments @ factor.T)
        inner = self.changes.T @ ((total + total.T) / 2.0) @ self.changes
        found[first:, first:] = inner
        return found


@dataclass(frozen=True, eq=False)
class _Axes:
    """Eigenvectors and eigenvalues of covariances, and the parameters t that change them.

    Attributes
    ----------
    directions : ndarray of shape (k, d, d)
        Columns are axes.
    variances : ndarray of shape (k, d)
        Along these.
    of_scales : ndarray of shape (k, d, n)
        What each of t changes of the logarithms of the variances.
    turns : ndarray of shape (k, n)
        Number of the pair of axes that each of t turns, of each component; -1 for none.
    """

    directions: Array
    variances: Array
    of_scales: Array
    turns: Array

    @classmethod
    def of(cls, parameters: Parameters) -> _Axes:
        """Return those of parameters of a structure in `KINDS`."""
        (k, d), precision = parameters.means.shape, structure_of(parameters).precision
        assert isinstance(precision, Charted), "structures of eigenvalues have such forms"
        volume, shape, orientation = KINDS[parameters.structure]
        matrices = precision.matrices(parameters.covariances, d)
        directions = _directions(matrices, shape, orientation)
        variances = np.einsum("kji,kjl,kli->ki", directions, matrices, directions)
        n_turns = 0 if orientation == NONE else d * (d - 1) // 2
        blocks = [
            _of_kind(np.ones((d, 1)) / np.sqrt(d), k, shared=volume == EQUAL),
            _of_kind(_contrasts(d), k, shared=shape == EQUAL),
        ]
        n_axes = sum(block.shape[2] for block in blocks)
        own = n_turns if orientation == EQUAL else k * n_turns
        turns = np.full((k, n_axes + own), -1)
        for j in range(k):
            start = n_axes + (0 if orientation == EQUAL else j * n_turns)
            turns[j, start : start + n_turns] = np.arange(n_turns)
        scales = np.concatenate([*blocks, np.zeros((k, d, own))], axis=2)
        return cls(directions, variances, scales, turns)

    def derivatives(self, j: int) -> Array:
        """Return what each of t changes of a covariance, (n, d, d)."""
        axes, variances = self.directions[j], self.variances[j]
        d, n = self.of_scales.shape[1:]
        found = np.zeros((n, d, d))
        found[:, np.arange(d), np.arange(d)] = (self.of_scales[j] * variances[:, None]).T
        some = np.flatnonzero(self.turns[j] >= 0)
        r, s = (index[self.turns[j, some]] for index in np.triu_indices(d, 1))
        found[some, r, s] = found[some, s, r] = variances[s] - variances[r]  # of [W, A]
        return np.asarray(axes @ found @ axes.T)

    def second(self, j: int, slopes: Array) -> Array:
        r"""Return :math:`\operatorname{tr} (H\, \partial^2 \Sigma)` for each two of t, (n, n)."""
        axes, variances, scales = self.directions[j], self.variances[j], self.of_scales[j]
        inside, d = axes.T @ slopes @ axes, len(scales)
        found = scales.T @ ((np.diagonal(inside) * variances)[:, None] * scales)
        some = np.flatnonzero(self.turns[j] >= 0)
        skew = np.zeros((len(some), d, d))
        r, s = (index[self.turns[j, some]] for index in np.triu_indices(d, 1))
        place = np.arange(len(some))
        skew[place, r, s], skew[place, s, r] = 1.0, -1.0
        turned = inside @ skew - skew @ inside  # [H, W]
        changed = skew * variances - variances[:, None] * skew  # [W, A]
        both = turned.reshape(-1, d * d) @ changed.swapaxes(1, 2).reshape(-1, d * d).T
        found[np.ix_(some, some)] += (both + both.T) / 2.0
        mixed = np.diagonal(turned, axis1=1, axis2=2) * variances @ scales
        found[some] += mixed
        found[:, some] += mixed.T
        return np.asarray(found)


def _directions(matrices: Array, shape: str, orientation: str) -> Array:
    """Return the axes of covariances (k, d, d)."""
    k, d = matrices.shape[:2]
    if orientation == NONE:
        return np.broadcast_to(np.eye(d), (k, d, d))
    if orientation == VARIABLE:
        return np.linalg.eigh(matrices)[1]  # in the order of variances, which equal shapes share
    scaled = matrices / np.trace(matrices, axis1=1, axis2=2)[:, None, None]
    if shape == EQUAL:
        return np.broadcast_to(np.linalg.eigh(scaled.mean(axis=0))[1], (k, d, d))
    # Axes that are common to all are those of any sum: of one in which variances differ.
    shares = np.sqrt(np.arange(1.0, k + 1.0))
    return np.broadcast_to(np.linalg.eigh(np.tensordot(shares, scaled, 1))[1], (k, d, d))


def _of_kind(basis: Array, k: int, *, shared: bool) -> Array:
    """Return the logarithms (k, d, n) that changes along a basis (d, m) move."""
    d, m = basis.shape
    if shared:
        return np.broadcast_to(basis, (k, d, m))
    found = np.zeros((k, d, k, m))
    found[np.arange(k), :, np.arange(k)] = basis
    return found.reshape(k, d, k * m)


def _contrasts(d: int) -> Array:
    """Return an orthonormal basis (d, d - 1) of what sums to 0."""
    whole = np.linalg.qr(np.column_stack([np.ones(d), np.eye(d)[:, 1:]]))[0]
    return np.asarray(whole[:, 1:])


def _factor(chart: ScoreChart, j: int) -> Array:
    """Return U (d, d), with the precision U U^T."""
    factors = chart.parameters.precisions_cholesky
    return np.asarray(factors[j] if chart.detail == 2 else np.diag(chart.axes[j]))


def _coordinates(chart: ScoreChart, j: int, changes: Array) -> Array:
    """Return changes (n, d, d) of a covariance in the coordinates of a chart, (n, q)."""
    factor = _factor(chart, j)
    whitened = factor.T @ changes @ factor
    root = np.sqrt(chart.parameters.weights[j])
    if chart.detail == 1:
        return np.asarray(root * np.diagonal(whitened, axis1=1, axis2=2) / SQRT_2)
    return np.asarray(root * packed.pack(whitened) / chart.norms)


def _moments(slope: Array, d: int, detail: int) -> Array:
    """Return the sum of z z^T less what is expected, (d, d), from the slope (q,) of a component."""
    if detail == 1:
        return np.diag(SQRT_2 * slope)
    rows, columns = packed.indices(d)
    return packed.unpack(slope * np.where(rows == columns, SQRT_2, 1.0), d)
