"""Rows drawn from known mixtures, and the complete start that every fit gets."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SEPARATION = 4.0
"""Standard deviation of a mean's coordinates; the components' own is about 1.1."""

DRAWN_AT_ONCE = 1 << 18
"""Rows: keeps what a block of noise takes small beside the process that is measured."""


@dataclass(frozen=True)
class Mixture:
    """A mixture of k full Gaussians in d dimensions."""

    weights: Array
    means: Array
    covariances: Array

    @classmethod
    def random(cls, d: int, k: int, seed: int = 0) -> "Mixture":
        """Draw one whose components overlap a little and are correlated."""
        random = np.random.default_rng(seed)
        means = SEPARATION * random.standard_normal((k, d))
        factors = random.standard_normal((k, d, d)) / np.sqrt(d)
        covariances = factors @ factors.swapaxes(1, 2) + 0.3 * np.eye(d)
        return cls(random.dirichlet(np.full(k, 5.0)), means, covariances)

    def nearer(self, times: float) -> "Mixture":
        """Return it with means that are so many times as near to each other."""
        return replace(self, means=self.means / times)

    def draw(self, n: int, seed: int = 1) -> Array:
        """Return n rows, shape (n, d)."""
        random = np.random.default_rng(seed)
        factors = np.linalg.cholesky(self.covariances)
        rows = np.empty((n, self.means.shape[1]))
        for first in range(0, n, DRAWN_AT_ONCE):
            part = rows[first : first + DRAWN_AT_ONCE]
            labels = random.choice(len(self.weights), len(part), p=self.weights)
            random.standard_normal(out=part)
            for component in range(len(self.weights)):
                mine = labels == component
                part[mine] = part[mine] @ factors[component].T + self.means[component]
        return rows

    def start(self, structure: str) -> "Start":
        """Return the mixture itself, reduced to a covariance structure."""
        covariances = self.covariances
        if structure == "diag":
            covariances = np.diagonal(covariances, axis1=1, axis2=2).copy()
        return Start(structure, self.weights, self.means, covariances)


@dataclass(frozen=True)
class Start:
    """Weights, means and covariances to begin with: nothing is left to initialise."""

    structure: str
    weights: Array
    means: Array
    covariances: Array

    def moved(self, by: float, seed: int = 2) -> "Start":
        """Return it with normal deviates of this standard deviation added to the means."""
        deviates = np.random.default_rng(seed).standard_normal(self.means.shape)
        return replace(self, means=self.means + by * deviates)

    def keywords(self) -> dict[str, Array]:
        """Return them as scikit-learn's constructor wants them."""
        full = self.structure == "full"
        precisions = np.linalg.inv(self.covariances) if full else 1.0 / self.covariances
        return {
            "weights_init": self.weights,
            "means_init": self.means,
            "precisions_init": precisions,
        }
