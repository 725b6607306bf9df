r"""Student-t components, :math:`t_\nu(\mu, \Sigma)` (Peel & McLachlan 2000).

A row of such a component is normal with the covariance :math:`\Sigma / \tau`, :math:`\tau` from a
gamma distribution of shape and rate :math:`\nu / 2`. Its expectation is the factor of the row,
:math:`u = (\nu + d) / (\nu + \delta)`.

Covariances are divided by the sum of :math:`\gamma u` instead of that of :math:`\gamma` where rows
have no noise: EM with a scale of :math:`\tau` that is estimated beside (PX-EM: Kent, Tyler & Vardi
1994; Liu, Rubin & Wu 1998), which takes fewer steps and is as monotone.

EM's own step of :math:`\nu` nearly stands still where tails are light. So there is a step of
:math:`\nu` alone, which maximises a lower bound of the likelihood itself (`LogBound`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import digamma, gammainc, gammaln

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.log_weights import log_weights
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.noise_terms import noise_terms
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.log_bound import LogBound
from daskgmm.gaussian.tails.tail import Beside, BoundTail, Tail, TailDensities, positive_counts

LEAST_DEGREES = 1.0
"""Least degrees of freedom, those of a Cauchy distribution. A component shrinks onto equal rows if
they are more than nu / (nu + d) of its rows (Kent & Tyler 1991): with fewer degrees, the sooner.
From 2 downwards it has no covariance, only a scatter."""

LARGEST_DEGREES, LARGEST_A_FEATURE = 1000.0, 10.0
"""Largest degrees of freedom, of one feature and for each: a component is Gaussian then to 0.003
nats per row."""

WIDE = 10.0
"""Factor of the covariance beyond which a row counts as an outlier of its component."""

POINTS = 33
"""At which the bound is taken, as it may have several maxima."""

SECTIONS, ROUNDS = 16, 9
"""Of the search for a root: it ends within 1e-10 of it."""


def largest_degrees(d: int) -> float:
    """Return the largest degrees of freedom of components of d features."""
    return max(LARGEST_DEGREES, LARGEST_A_FEATURE * d)


@dataclass(frozen=True)
class StudentDensities(TailDensities):
    """Log densities `constant` + `half` log u of components, (k, 1) each; u = `top` / (nu + delta).

    Attributes
    ----------
    shift : ndarray of shape (k,)
        The degrees of freedom, nu.
    top, half, constant : ndarray of shape (k, 1)
    """

    shift: Array
    top: Array
    half: Array
    constant: Array
    n_sums = 3

    def bind(self, distances: Array) -> BoundStudent:
        return BoundStudent(self, distances)


class BoundStudent(BoundTail):
    """Sums of a tile: N_k, and those of gamma log u and gamma u^2.

    By rounding a squared distance may be below 0, but far less so than nu is above.
    """

    def __init__(self, of: StudentDensities, joint: Array) -> None:
        self._of, self.joint = of, joint
        self._u, self._log_u = np.empty(joint.shape), np.empty(joint.shape)

    def densities(self) -> None:
        joint, of = self.joint, self._of
        np.divide(of.top, joint, out=self._u)
        np.log(self._u, out=self._log_u)
        np.multiply(self._log_u, of.half, out=joint)
        np.add(joint, of.constant, out=joint)

    def weigh(self, total: Array, sums: Array) -> None:
        joint, u = self.joint, self._u
        np.multiply(joint, total, out=joint)
        sums[0] += np.add.reduce(joint, axis=1)
        sums[1] += np.vecdot(joint, self._log_u)
        np.multiply(joint, u, out=joint)
        sums[2] += np.vecdot(joint, u)

    def outlying(self) -> Array:
        # tau given the row has a gamma distribution of the shape (nu + d) / 2 and the mean u.
        shape = self._of.half
        chances: Array = gammainc(shape, shape / (WIDE * self._u))
        return chances


class Student(Tail):
    """Student-t components, each with degrees of freedom of its own."""

    name, splits, has_coordinates = "t", False, True

    def are_of(self, parameters: Parameters) -> bool:
        return parameters.degrees is not None

    def begun(self, parameters: Parameters, share: float) -> Parameters:
        # From there they fall to any number in a few steps; to rise takes many.
        k, d = parameters.means.shape
        return replace(parameters, degrees=np.full(k, largest_degrees(d)))

    def densities(self, parameters: Parameters, noise: float) -> StudentDensities:
        precision, factors = structure_of(parameters).precision, parameters.precisions_cholesky
        nu, d = degrees_of(parameters), parameters.n_features
        half = 0.5 * (nu + d)
        constant = (
            log_weights(parameters)
            - noise_terms(precision, factors, d, noise)
            + precision.log_determinants(factors, d)
            + gammaln(half)
            - gammaln(0.5 * nu)
            - 0.5 * d * np.log(np.pi * nu)
            - half * np.log1p(d / nu)
        )
        return StudentDensities(nu, (nu + d)[:, None], half[:, None], constant[:, None])

    def sensitivity(self, parameters: Parameters) -> float:
        return float((1.0 + parameters.n_features / degrees_of(parameters)).max())

    def beside(self, moments: Moments, parameters: Parameters, noise: float) -> Beside:
        nu, d, n = degrees_of(parameters), parameters.n_features, positive_counts(moments)
        assert moments.tail is not None, "components have tails"
        weighed, half = moments.sums[0], 0.5 * (nu + d)
        scales = self._scales(moments, parameters, noise)
        logs = moments.tail[1] / n + digamma(half) - np.log(half)
        told = logs - np.log(scales) - weighed / n / scales
        degrees = _root(
            lambda x: np.log(0.5 * x) - digamma(0.5 * x) + 1.0 + told,
            np.full(len(nu), LEAST_DEGREES),
            np.full(len(nu), largest_degrees(d)),
        )
        degrees = np.where(moments.empty, nu, degrees)

        def expected(x: Array, told: Array) -> Array:
            density: Array = 0.5 * x * (np.log(0.5 * x) + told) - gammaln(0.5 * x)
            return density

        risen = expected(degrees, told) - expected(nu, logs - weighed / n)
        spread = moments.counts * (nu + d) - nu * weighed  # sum of gamma u delta
        gain = float(moments.counts @ risen)
        gain += 0.5 * float(spread.sum() - d * (moments.counts @ (1.0 + np.log(scales))))
        return Beside(replace(parameters, degrees=degrees), scales * moments.counts, gain)

    def _scales(self, moments: Moments, parameters: Parameters, noise: float) -> Array:
        """Return the scales of tau (k,) beside which the covariances are estimated.

        Where components share parts of a covariance they share the scale.
        """
        structure, nu, counts = structure_of(parameters), degrees_of(parameters), moments.counts
        precision, d = structure.precision, parameters.n_features
        traces = precision.traces(parameters.precisions_cholesky, d)
        held, told, noisy = nu * counts, nu * moments.sums[0], noise * counts * traces
        if structure.shared or not structure.free:
            held, told, noisy = (np.full(len(nu), part.sum()) for part in (held, told, noisy))
        some = (counts > 0) & (told > 0)
        # Squares of small weights underflow.
        root = np.hypot(held, 2.0 * np.sqrt(noisy) * np.sqrt(told))
        divisor = np.where(some, held + root, 1.0)
        return np.where(some, 2.0 * told / divisor, 1.0)

    def alone(self, moments: Moments, parameters: Parameters) -> tuple[Parameters, float]:
        nu, d, n = degrees_of(parameters), parameters.n_features, moments.counts
        assert moments.tail is not None, "components have tails"
        logs = n * np.log(nu + d) - moments.tail[1]  # sum of gamma log(nu + delta)
        above = LogBound.of(nu, n, moments.sums[0] / (nu + d), moments.tail[2] / (nu + d) ** 2)

        def bound(x: Array) -> Array:
            own = gammaln(0.5 * (x + d)) - gammaln(0.5 * x) + 0.5 * x * np.log(x)
            value: Array = n * own - 0.5 * (x + d) * (logs + above.values(x - nu))
            return value

        def slope(x: Array) -> Array:
            own = digamma(0.5 * (x + d)) - digamma(0.5 * x) + np.log(x) + 1.0
            s = x - nu
            value: Array = n * own - logs - above.values(s) - (x + d) * above.slopes(s)
            return value

        ends = np.where(slope(nu) > 0, largest_degrees(d), LEAST_DEGREES)
        points = nu * (ends / nu) ** np.linspace(0.0, 1.0, POINTS)[:, None]
        highest, own = bound(points).argmax(axis=0), np.arange(len(nu))
        around = (points[np.clip(highest + i, 0, POINTS - 1), own] for i in (-1, 1))
        degrees = _root(slope, *np.sort(np.stack([*around]), axis=0))
        degrees = np.clip(degrees, LEAST_DEGREES, largest_degrees(d))
        gains = np.where(moments.empty, 0.0, bound(degrees) - bound(nu))
        better = gains > 0
        found = replace(parameters, degrees=np.where(better, degrees, nu))
        return found, float(gains[better].sum())

    def coordinates(self, anchor: Parameters, parameters: Parameters) -> Array:
        roots = np.sqrt(anchor.weights / 2.0)
        return np.asarray(roots * np.log(degrees_of(parameters) / degrees_of(anchor)))

    def at(self, anchor: Parameters, coordinates: Array, found: Parameters) -> Parameters:
        moved = degrees_of(anchor) * np.exp(coordinates / np.sqrt(anchor.weights / 2.0))
        ends = LEAST_DEGREES, largest_degrees(anchor.n_features)
        return replace(found, degrees=np.clip(moved, *ends))

    def draw_scales(
        self, parameters: Parameters, k: int, n: int, random: np.random.RandomState
    ) -> Array:
        nu = degrees_of(parameters)[k]
        scales: Array = nu / random.chisquare(nu, size=n)
        return scales

    def conditional(
        self, rest: Parameters, known: Parameters, distances: Array
    ) -> tuple[Parameters, Array]:
        # Given the row's part, tau is from a gamma distribution with m degrees of freedom more.
        nu, m = degrees_of(known), known.n_features
        return replace(rest, degrees=nu + m), (nu + distances) / (nu + m)

    def variance_factors(self, known: Parameters, distances: Array) -> Array:
        nu = degrees_of(known)[:, None]
        left = nu + known.n_features - 2.0
        scatter = nu + distances
        factors = np.full(distances.shape, np.inf)
        np.divide(scatter, left, out=factors, where=np.broadcast_to(left > 0, factors.shape))
        return factors


def degrees_of(parameters: Parameters) -> Array:
    """Return the degrees of freedom (k,) of Student-t components."""
    assert parameters.degrees is not None, "components are Student-t"
    return parameters.degrees


def _root(slope: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return where slopes first fall through 0 between two points (k,); the end where they do not.

    Each round leaves one of the `SECTIONS` between the last two points.
    """
    steps, own, ends = (
        np.linspace(0.0, 1.0, SECTIONS + 1)[:, None],
        np.arange(len(low)),
        (low, high),
    )
    for _ in range(ROUNDS):
        points = low * (high / low) ** steps
        points[-1] = high
        rising = np.logical_and.accumulate(slope(points[1:-1]) > 0).sum(axis=0)
        low, high = points[rising, own], points[rising + 1, own]
    inside = np.where(high == ends[1], high, np.sqrt(low * high))
    return np.where(low == ends[0], low, inside)
