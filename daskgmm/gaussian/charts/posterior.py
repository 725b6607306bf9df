"""Coordinates of the posterior of a mixture: those of its means, and of its counts as weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.charts.chart import EmSteps
from daskgmm.gaussian.charts.structured import StructuredAnchor
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.variational_posterior import VariationalPosterior

MORE = 1.0
"""Rows that counts are raised by: a component may have next to none, and the prior's width."""


class OfPosterior(EmSteps):
    """Coordinates of posteriors about one of them.

    Parameters
    ----------
    parameters : Parameters
        The anchor, a posterior.
    posterior : callable
        Makes a posterior of parameters of its means and covariances, and counts (k,).
    """

    def __init__(
        self, parameters: Parameters, posterior: Callable[[Parameters, Array], Parameters]
    ) -> None:
        self._anchor = StructuredAnchor(_raised(parameters))
        self._total, self._posterior = float(_counts(parameters).sum()), posterior

    def coordinates(self, parameters: Parameters) -> Array:
        """Return the coordinates of a posterior of the same structure, k and d."""
        return self._anchor.coordinates(_raised(parameters))

    def coordinates_of(self, mixtures: Sequence[Parameters]) -> Array:
        """Return the coordinates of several posteriors, (n, q)."""
        return self._anchor.coordinates_of([_raised(each) for each in mixtures])

    def parameters(self, coordinates: Array) -> Parameters | None:
        """Return the posterior at coordinates; None where there is none."""
        found = self._anchor.parameters(coordinates)
        if found is None:
            return None
        whole = self._total + MORE * found.n_components
        counts = np.maximum(whole * found.weights - MORE, 0.0)
        return self._posterior(found, counts * (self._total / counts.sum()))


def _counts(parameters: Parameters) -> Array:
    assert isinstance(parameters, VariationalPosterior), "a posterior has counts"
    return parameters.counts


def _raised(parameters: Parameters) -> Parameters:
    """Return the parameters with weights of the counts and `MORE` rows a component."""
    counts = _counts(parameters) + MORE
    return replace(parameters, weights=counts / counts.sum())
