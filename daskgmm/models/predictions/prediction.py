"""Posteriors and likelihoods of rows under a fitted mixture, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.blas import one_blas_thread
from daskgmm.companions import ALONE, Companions
from daskgmm.em.checkpoints.fingerprint import plain_digest
from daskgmm.em.survey.values import LARGEST_VALUE, check_values
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.choice import (
    TOLERANCE,
    fast_kernel,
    is_whitened_faster,
    moment_error,
    natural_error,
)
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.prediction import Prediction, Targets
from daskgmm.gaussian.kernels.tailed import whitened_kernel
from daskgmm.gaussian.kernels.workspace import small_buffers
from daskgmm.gaussian.missing.conditional import marginal, unstructured
from daskgmm.gaussian.missing.patterns import Pattern, by_pattern, pool_rows
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.predictions.digests import density_digest
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.posteriors.filled_posterior import Filled, FilledPosterior
from daskgmm.models.predictions.posteriors.gaps import Draws, Gaps
from daskgmm.models.predictions.posteriors.posterior import Posterior
from daskgmm.models.predictions.posteriors.tile_posterior import TilePosterior
from daskgmm.passes.configuration import backend
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.transform import IDENTITY, Transform
from daskgmm.rows.rows import Rows

NOT_ASKED: Mapping[str, Any] = {"_asked_backend": False, "_by_backend": None}
"""What a `Predictor` begins with, and goes to other processes with."""

DOUBLE = 8
"""Bytes of a number of double precision."""

ROWS_AT_ONCE = 1 << 16
"""Rows whose results are in memory at once; tiles have a power of two, which divides it."""


class Predictor:
    """A mixture made ready to look at rows.

    Parameters
    ----------
    parameters : Parameters
    columns : tuple of str, optional
        Names to use in errors.
    transform : Transform, optional
        Transform of rows; a dropped one gets the label -1 and NaN.
    clusters : tuple of int, optional
        Cluster of each component, if components were merged.
    own_outputs : mapping, optional
        What makes outputs beside those of `OUTPUTS`, by name: they depend on more than the mixture.
    by : Backend, optional
        By default the one of the setting `configuration.BACKEND` of this process.

    Attributes
    ----------
    seed : int or None
        Missing values are imputed by draws with this seed, not by their expectation.
    """

    def __init__(
        self,
        parameters: Parameters,
        columns: tuple[str, ...] | None = None,
        transform: Transform = IDENTITY,
        clusters: tuple[int, ...] | None = None,
        own_outputs: Mapping[str, Any] | None = None,
        by: Backend | None = None,
    ) -> None:
        self.seed: int | None = None
        self.parameters, self.transform = parameters, transform
        self.clusters, self.own_outputs = clusters, own_outputs or {}
        self._backend = backend() if by is None else by
        self._asked_backend: bool = False
        self._by_backend: Prediction | None = None
        self.columns = columns
        # The fast kernel wants a centre among the rows: the mixture's own mean is one. Where all
        # rows are noise, no component has a weight.
        weights = parameters.weights
        weights = weights if weights.any() else np.ones_like(weights)
        self.center: Array = weights @ parameters.means / weights.sum()
        self._fast = fast_kernel(parameters, self.center)
        self._whitened = whitened_kernel(parameters)
        self._safe_range = np.full(len(self.center), -1.0)
        self._loses_digits = moment_error(parameters, self.center) >= TOLERANCE
        self._is_wide = is_whitened_faster(self._fast.structure, *parameters.means.shape)

    @property
    def digest(self) -> str:
        """A digest of all that predictions depend on, but the seed."""
        missing = self.transform.drop_missing, self.transform.marginalise
        return plain_digest((self.density_digest, missing, self.clusters))

    @property
    def density_digest(self) -> str:
        """A digest of all that densities and responsibilities depend on."""
        return density_digest(self.parameters, self.transform.coordinates)

    @property
    def n_columns(self) -> int:
        """Columns of the rows as they are given, d."""
        coordinates = self.transform.coordinates
        return self.parameters.n_features if coordinates is None else coordinates.n_columns

    @property
    def width(self) -> int:
        """Numbers of a row that `posteriors` takes."""
        return self.n_columns

    def dataset(
        self,
        rows: Rows,
        beside: Companions[Rows] = ALONE,
        *,
        present: bool = False,
        of_targets: bool = False,
    ) -> Dataset:
        """Return rows cut for passes of this mixture, as they are.

        With `present` those that miss what it needs are dropped. `of_targets` says that the passes
        call `fill` alone: then the back end's own calls decide how many threads gain.
        """
        p, k, _ = self._fast.shape
        filled = of_targets and self._prediction() is not None
        calls = self._backend.short_calls or not filled
        dropping = replace(self.transform, coordinates=None) if present else IDENTITY
        return Dataset.of(rows, beside, k, p, dropping, short_calls=calls)

    def score(
        self, x: NDArray[Any], weights: NDArray[Any] | None, place: Place, *, disorder: bool = False
    ) -> tuple[float, float]:
        """Return the weighted sums of log p(x) and of the entropy of the responsibilities.

        Rows `x` are (m, d), weights (m,). Sums are in nats, in float64 whatever the rows are; the
        entropy is nan without `disorder`.
        """
        if not disorder:
            return sum(self._score(x, weights, place, rows) for rows in self.pieces(x)), np.nan
        likelihood, entropy = 0.0, 0.0
        with one_blas_thread(), small_buffers():
            for rows, posterior in self.posteriors(x, place):
                w = None if weights is None else weights[rows]
                likelihood += _weighted(posterior.log_densities, w)
                entropy += _weighted(posterior.entropies, w)
        return likelihood, entropy

    def _score(
        self, x: NDArray[Any], weights: NDArray[Any] | None, place: Place, rows: slice
    ) -> float:
        found = self.log_densities(x[rows], place.after(rows.start))
        return _weighted(found, None if weights is None else weights[rows])

    def pieces(self, x: NDArray[Any]) -> Iterator[slice]:
        """Yield the rows of x that are best predicted at once: as many as patterns of gaps want."""
        length = pool_rows(self.n_columns) if self._has_gaps(x) else ROWS_AT_ONCE
        return (slice(first, first + length) for first in range(0, len(x), length))

    def log_densities(
        self, x: NDArray[Any], place: Place, labels: NDArray[np.intp] | None = None
    ) -> Array:
        """Return log p(x) of the rows of x (m, d), in nats, shape (m,).

        Of a row with a label (m,), but -1, it is the log joint density of that component.
        """
        found = np.empty(len(x))
        with one_blas_thread(), small_buffers():
            if labels is None:
                for rows, posterior in self.fill(x, place, Targets(log_densities=found)):
                    found[rows] = posterior.log_densities
                return found
            for rows, posterior in self.posteriors(x, place):
                own = labels[rows]
                joint = posterior.log_joint(own)  # exact only before densities are asked for
                found[rows] = np.where(own < 0, posterior.log_densities, joint)
        return found

    def fill(
        self, x: NDArray[Any], place: Place, targets: Targets
    ) -> Iterator[tuple[slice | NDArray[np.intp], Posterior]]:
        """Fill targets of the rows of x by the back end; yield the posteriors of what it left.

        As `posteriors` does: the caller writes these, over what may stand there.
        """
        prediction = self._prediction()
        if prediction is None or self._has_gaps(x):
            yield from self.posteriors(x, place)
        else:
            yield from self._fill_by(prediction, x, place, targets)

    def _fill_by(
        self, prediction: Prediction, x: NDArray[Any], place: Place, targets: Targets
    ) -> Iterator[tuple[slice, Posterior]]:
        # The kernel is chosen tile by tile, of the rows that `_posteriors_of_whole` has in one:
        # results must not depend on the ranges that happen to be known to be safe.
        height, first = self._fast.rows_of_tile(len(x)), 0
        in_place = self.transform.coordinates is None and x.dtype.itemsize <= DOUBLE
        at_once = len(x) if in_place else height
        while first < len(x):
            stop = min(first + at_once, len(x))
            seen = self._seen(x[first:stop])
            filled = first
            if self._safe_range[0] >= 0:  # some rows were seen
                part = targets.part(slice(first, stop))
                filled += prediction.fill(seen, part, self._safe_range)
            if filled < stop:
                start = filled - filled % height
                tile = slice(start, min(start + height, len(x)))
                seen = seen[tile.start - first : tile.stop - first]
                half_range = np.abs(seen - self.center).max(axis=0)
                self._check(half_range, x[tile], place.after(start))
                if self._choose(half_range) is self._fast:
                    prediction.fill(seen, targets.part(tile), half_range)
                else:
                    yield from self._posteriors_of_whole(x, place, tile)
                stop = tile.stop
            first = stop

    def _seen(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return rows in the coordinates of the mixture, at most in double precision."""
        coordinates = self.transform.coordinates
        seen = x if coordinates is None else coordinates.apply(x)
        if seen.dtype.itemsize <= DOUBLE:
            return seen
        # Of longer numbers a back end would round the distance from the centre otherwise.
        with np.errstate(over="ignore"):  # to infinity, which is refused
            return seen.astype(np.float64)

    def _check(self, half_range: Array, x: NDArray[Any], place: Place) -> None:
        """Raise an error for rows with values that are too large, or missing."""
        if not half_range.max(initial=0.0) <= LARGEST_VALUE:
            # Of the values as they were given: the centre may be large as well.
            check_values(x.T, place, self.columns)

    def _prediction(self) -> Prediction | None:
        """Return what predicts rows by the fast kernel, if the back end has it."""
        if self._loses_digits:
            return None
        if not self._asked_backend:
            self._by_backend = self._backend.prediction(self._fast)
            self._asked_backend = True
        return self._by_backend

    def _never_natural(self) -> bool:
        """Return whether the whitened kernel has all rows; wide ones a back end does faster."""
        return self._loses_digits or (self._is_wide and self._prediction() is None)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, **NOT_ASKED}  # it has addresses in the memory of this process

    def _has_gaps(self, x: NDArray[Any]) -> bool:
        with np.errstate(invalid="ignore", over="ignore"):  # infinities cancel
            return self.transform.marginalise and bool(np.isnan(x.sum()))

    def posteriors(
        self, x: NDArray[Any], place: Place
    ) -> Iterator[tuple[slice | NDArray[np.intp], Posterior]]:
        """Yield the posteriors of the rows of x, tile by tile, with the places of these rows.

        Rows miss no value, unless the mixture takes them with what they have.
        """
        if self._has_gaps(x):
            yield from self._posteriors_of_observed(x, place)
        else:
            yield from self._posteriors_of_whole(x, place)

    def _posteriors_of_observed(
        self, x: NDArray[Any], place: Place
    ) -> Iterator[tuple[NDArray[np.intp], Posterior]]:
        """Yield posteriors of rows that miss values, pattern by pattern."""
        # In float64, as 1e150 is infinite in float32. Before columns are left out, which would
        # change the number of the one named.
        ends = float(np.fmax.reduce(x, axis=None)), -float(np.fmin.reduce(x, axis=None))
        if not max(ends) <= LARGEST_VALUE:
            check_values(x.T, place, self.columns, gaps=True)
        whole = unstructured(self.parameters, structure_of(self.parameters))
        for pattern, rows in by_pattern(x):
            of_columns = self._of_columns(marginal(whole, pattern), pattern)
            given, o = x[rows], np.flatnonzero(pattern)
            for part, posterior in of_columns._posteriors_of_whole(given[:, o], place.at(rows)):
                draws = None if self.seed is None else Draws(self.seed, place.number(rows[part]))
                coordinates = self.transform.coordinates
                posterior.gaps = Gaps(whole, pattern, given[part], coordinates, draws)
                yield rows[part], posterior

    def _of_columns(self, observed: Parameters, pattern: Pattern) -> Predictor:
        """Return what looks at the observed columns alone."""
        if pattern.all():
            return self
        coordinates = self.transform.coordinates
        if coordinates is not None:
            coordinates = coordinates.of_columns(pattern)
        transform = Transform(coordinates=coordinates)
        return Predictor(observed, transform=transform, by=self._backend)

    def _posteriors_of_whole(
        self, x: NDArray[Any], place: Place, of: slice | None = None
    ) -> Iterator[tuple[slice, Posterior]]:
        """Yield the posteriors of rows that miss no value; of all, or of some."""
        prediction = self._prediction()
        # Made for the kernel that needs more; the whitened one leaves T(z) alone.
        widest = self._whitened if self._never_natural() else self._fast
        with widest.workspace(len(x)) as work:
            capacity = work.joint.shape[1]
            begin, end = (0, len(x)) if of is None else (of.start, of.stop)
            for first in range(begin, end, capacity):
                rows = slice(first, min(first + capacity, end))
                b = rows.stop - first
                tile = self._backend.tile(widest, work, b)  # it says how its rows lie
                seen = self._seen(x[rows])
                np.subtract(seen.T, self.center[:, None], out=tile.rows)
                half_range = np.abs(tile.rows).max(axis=1)
                self._check(half_range, x[rows], place.after(first))
                kernel = self._choose(half_range)
                if kernel is not widest:
                    tile = self._backend.tile(kernel, work, b)
                if kernel is self._whitened:
                    tile.rows[:] = seen.T
                of_tile = partial(TilePosterior, tile, self.parameters, kernel.center, x[rows])
                if kernel is self._fast and prediction is not None:
                    filled = Filled(prediction, seen, half_range)
                    yield rows, FilledPosterior(filled, self.parameters, x[rows], of_tile)
                else:
                    yield rows, of_tile()

    def _choose(self, half_range: Array) -> Kernel:
        # The error grows with the range: what lies within one that was safe is safe. Threads
        # may forget each other's, which changes no choice.
        if self._never_natural():
            return self._whitened
        if (half_range <= self._safe_range).all():
            return self._fast
        for wider in (np.maximum(half_range, self._safe_range), half_range):
            structure = self._fast.structure
            if natural_error(self.parameters, self.center, wider, structure) < TOLERANCE:
                self._safe_range = wider
                return self._fast
        return self._whitened


def _weighted(values: Array, weights: NDArray[Any] | None) -> float:
    """Return the weighted sum; what has no weight adds nothing, whatever it is."""
    if weights is None:
        return float(values.sum())
    counted = weights > 0
    return float(values[counted] @ weights[counted].astype(np.float64))
