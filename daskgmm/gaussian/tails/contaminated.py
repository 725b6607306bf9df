r"""Contaminated components (Punzo & McNicholas 2016): a part of each has a larger covariance.

:math:`\alpha N(\mu, \Sigma) + (1 - \alpha) N(\mu, \eta \Sigma)`. A row of the larger part counts
:math:`1 / \eta` in means and second moments, while covariances are divided by the counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.log_weights import NO_WEIGHT, log_weights
from daskgmm.gaussian.moments import EMPTY, Moments
from daskgmm.gaussian.noise_terms import noise_terms
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tail import Beside, BoundTail, Tail, TailDensities, positive_counts

LOG_2_PI = float(np.log(2 * np.pi))

LEAST_CLEAN = 0.5
"""Least proportion of a component that has its own covariance: outliers are the smaller part."""

LEAST_INFLATION = 1.001
"""Least factor of the covariance of outliers: at 1 their proportion has no meaning."""

MOST_CLEAN = 1.0 - 1e-12
"""Largest proportion that has coordinates."""

MOST_INFLATION = 1e12
"""Largest factor that acceleration proposes."""

FIRST_INFLATION = 10.0
"""Factor of the covariance of outliers that EM begins with; the first steps find a better one."""


@dataclass(frozen=True)
class ContaminatedDensities(TailDensities):
    """Log joint densities of both parts, `constants` - `slopes` delta, (2, k, 1) each.

    Attributes
    ----------
    shift : ndarray of shape (k,)
        0.
    constants, slopes : ndarray of shape (2, k, 1)
        Of the parts with the component's own covariance, then of outliers.
    """

    shift: Array
    constants: Array
    slopes: Array
    n_sums = 4

    @property
    def n_columns(self) -> int:
        return 2 * len(self.shift)

    def bind(self, distances: Array) -> BoundContaminated:
        return BoundContaminated(self, distances)


class BoundContaminated(BoundTail):
    """Sums of a tile: N_k, those of outliers, and squared distances of outliers and of all rows.

    In the last sum rows count as in moments.
    """

    def __init__(self, of: ContaminatedDensities, distances: Array) -> None:
        self._of, self._distances = of, distances
        k, b = distances.shape
        self.joint = np.empty((2 * k, b))
        self._parts = self.joint.reshape(2, k, b)
        self._share = 2.0 * of.slopes[1]

    def densities(self) -> None:
        np.multiply(self._distances, -self._of.slopes, out=self._parts)
        np.add(self._parts, self._of.constants, out=self._parts)

    def of_components(self) -> Array:
        good, bad = self._parts
        return np.logaddexp(good, bad, out=good)

    def weigh(self, total: Array, sums: Array) -> None:
        (good, bad), distances = self._parts, self._distances
        np.multiply(self.joint, total, out=self.joint)
        clean, outliers = np.add.reduce(self._parts, axis=2)
        sums[0] += clean + outliers
        sums[1] += outliers
        far = np.vecdot(bad, distances)
        sums[2] += far
        sums[3] += np.vecdot(good, distances) + self._share[:, 0] * far
        np.multiply(bad, self._share, out=bad)
        np.add(good, bad, out=distances)

    def outlying(self) -> Array:
        good, bad = self._of.constants - self._of.slopes * self._distances
        chances: Array = expit(bad - good)
        return chances


class Contaminated(Tail):
    """Components that are pairs of Gaussians."""

    name, has_coordinates = "contaminated", True

    def are_of(self, parameters: Parameters) -> bool:
        return parameters.inflation is not None

    def begun(self, parameters: Parameters, share: float) -> Parameters:
        k = parameters.n_components
        clean = np.full(k, 1.0 - min(share, 1.0 - LEAST_CLEAN))
        return replace(parameters, clean=clean, inflation=np.full(k, FIRST_INFLATION))

    def densities(self, parameters: Parameters, noise: float) -> ContaminatedDensities:
        # Both parts have the same term of the noise of rows, so that the M-step is exact.
        precision, factors = structure_of(parameters).precision, parameters.precisions_cholesky
        (clean, inflation), d = parts_of(parameters), parameters.n_features
        constant = (
            log_weights(parameters)
            - noise_terms(precision, factors, d, noise)
            + precision.log_determinants(factors, d)
            - 0.5 * d * LOG_2_PI
        )
        dirty = 1.0 - clean
        logs = np.where(dirty > 0, np.log(np.where(dirty > 0, dirty, 1.0)), NO_WEIGHT)
        wide = np.maximum(constant + logs - 0.5 * d * np.log(inflation), NO_WEIGHT)
        constants = np.stack([np.maximum(constant + np.log(clean), NO_WEIGHT), wide])
        slopes = 0.5 / np.stack([np.ones(len(clean)), inflation])
        return ContaminatedDensities(np.zeros(len(clean)), constants[..., None], slopes[..., None])

    def sensitivity(self, parameters: Parameters) -> float:
        return 1.0

    def beside(self, moments: Moments, parameters: Parameters, noise: float) -> Beside:
        assert moments.tail is not None, "components have tails"
        counts, d = moments.counts, parameters.n_features
        gain = 0.5 * float(moments.tail[3].sum() - d * counts.sum())
        return Beside(_shared_out(moments, parameters), counts, gain)

    def alone(self, moments: Moments, parameters: Parameters) -> tuple[Parameters, float]:
        assert moments.tail is not None, "components have tails"
        (_, before), d = parts_of(parameters), parameters.n_features
        bad, distances = moments.tail[1], moments.tail[2]
        some = bad > EMPTY * max(moments.weight, np.finfo(np.float64).tiny)
        inflation = np.where(some, distances / (d * np.where(some, bad, 1.0)), before)
        inflation = np.maximum(inflation, LEAST_INFLATION)
        gains = bad * d * np.log(before / inflation) + distances * (1 / before - 1 / inflation)
        found = replace(_shared_out(moments, parameters), inflation=inflation)
        return found, 0.5 * float(gains.sum())

    def towards(self, beside: Parameters, alone: Parameters) -> Parameters:
        return replace(beside, inflation=alone.inflation)

    def coordinates(self, anchor: Parameters, parameters: Parameters) -> Array:
        of_clean, of_inflation = _roots(anchor)
        clean, inflation = parts_of(parameters)
        before, inflated = parts_of(anchor)
        odds = logit(np.minimum(clean, MOST_CLEAN)) - logit(np.minimum(before, MOST_CLEAN))
        return np.concatenate([of_clean * odds, of_inflation * np.log(inflation / inflated)])

    def at(self, anchor: Parameters, coordinates: Array, found: Parameters) -> Parameters:
        (of_clean, of_inflation), (clean, inflation) = _roots(anchor), parts_of(anchor)
        odds, logs = np.split(coordinates, 2)
        odds = odds / of_clean + logit(np.minimum(clean, MOST_CLEAN))
        inflation = inflation * np.exp(logs / of_inflation)
        return replace(
            found,
            clean=np.clip(expit(odds), LEAST_CLEAN, MOST_CLEAN),
            inflation=np.clip(inflation, LEAST_INFLATION, MOST_INFLATION),
        )

    def draw_scales(
        self, parameters: Parameters, k: int, n: int, random: np.random.RandomState
    ) -> Array:
        clean, inflation = parts_of(parameters)
        return np.where(random.uniform(size=n) < clean[k], 1.0, inflation[k])

    def conditional(
        self, rest: Parameters, known: Parameters, distances: Array
    ) -> tuple[Parameters, Array]:
        clean = 1.0 - self._outlying(known, distances[:, None])[:, 0]
        some = np.maximum(clean, np.finfo(np.float64).tiny)  # it has a logarithm
        return replace(rest, clean=some), np.ones(len(clean))

    def variance_factors(self, known: Parameters, distances: Array) -> Array:
        _, inflation = parts_of(known)
        factors: Array = 1.0 + self._outlying(known, distances) * (inflation[:, None] - 1.0)
        return factors

    def _outlying(self, known: Parameters, distances: Array) -> Array:
        return self.densities(known, 0.0).bind(distances).outlying()


def _shared_out(moments: Moments, parameters: Parameters) -> Parameters:
    """Return the parameters with the proportions of outliers that rows have, in either step."""
    assert moments.tail is not None, "components have tails"
    (clean, _), n = parts_of(parameters), positive_counts(moments)
    found = np.where(moments.counts > 0, 1.0 - moments.tail[1] / n, clean)
    return replace(parameters, clean=np.clip(found, LEAST_CLEAN, 1.0))


def parts_of(parameters: Parameters) -> tuple[Array, Array]:
    """Return the proportions with the components' own covariances, and the inflations, (k,)."""
    assert parameters.clean is not None, "components are contaminated"
    assert parameters.inflation is not None, "components are contaminated"
    return parameters.clean, parameters.inflation


def _roots(anchor: Parameters) -> tuple[Array, Array]:
    """Return the roots of the information about log odds and log inflations, (k,) each."""
    clean, _ = parts_of(anchor)
    clean = np.minimum(clean, MOST_CLEAN)
    dirty = anchor.weights * (1.0 - clean)
    return np.sqrt(dirty * clean), np.sqrt(dirty * anchor.n_features / 2.0)
