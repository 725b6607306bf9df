"""How far rows are from a fitted mixture, measured in one pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from daskgmm.arrays import Array
from daskgmm.blas import one_blas_thread
from daskgmm.counting import counted
from daskgmm.em.survey.weighing import check_some
from daskgmm.errors import DataError, SettingError
from daskgmm.gaussian.moments import EMPTY
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.drift.drift import Drift
from daskgmm.models.drift.pieces import FIRST_ROWS, Pieces, pieces_of, variances_of
from daskgmm.models.drift.rao_scott import Assessed, Means, adjusted, assess
from daskgmm.models.facts.fitted_on import has_known_noise
from daskgmm.models.facts.seen import seen_of
from daskgmm.models.inputs.rows import names_of_axes, scoring_data
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.settings.missing import check_whole_rows
from daskgmm.readers import remedy
from daskgmm.user_warnings import warn_user

NEARER = ("a smaller tol, or give reference=mixture.drift(X_fitted)", "a smaller tol")
"""What to do about a fit whose own distance from its maximum shows, by who reads it."""

LEAST_PIECES = 16
"""Fewest pieces of which a variance is estimated."""

FAR_MORE = 10.0
"""Divergence, over the gain that an unfinished fit left, that is no consequence of it."""

PART_OF_NOISE = 0.2
"""What an unfinished fit may add to the statistic, in its standard deviations."""


def drift_of(mixture: Any, x: Any, sample_weight: Any, reference: Drift | None) -> Drift:
    """Return the drift of rows; see `GaussianMixture.drift`."""
    predictor: Predictor = mixture._predictor()
    _check_testable(mixture, predictor.parameters)
    _check_reference(reference, predictor)
    rows, weights = scoring_data(mixture, x, sample_weight)
    pieces = pieces_of(predictor, rows, weights)
    check_some(pieces.weighing, weights is not None)
    with one_blas_thread():
        return _drift(mixture, predictor, pieces, reference)


def _check_testable(mixture: Any, parameters: Parameters) -> None:
    """Raise `SettingError` for a mixture under which the moments have no known expectation."""
    check_whole_rows(mixture, "drift")
    because = None
    if parameters.log_weights is not None:
        because = "the responsibilities of a variational posterior are not those of a density"
    elif parameters.makes_room:
        because = "its room for outliers (noise, tails) takes in the rows that have moved"
    elif has_known_noise(mixture):
        because = "it was fitted with noise_variance, and the noise of rows would look like drift"
    if because is not None:
        raise SettingError(
            f"This mixture has no test of drift: {because}. Fit a GaussianMixture without "
            "noise, tails and noise_variance to the same rows, and test new rows against that."
        )


def _check_reference(reference: Any, predictor: Predictor) -> None:
    if reference is None:
        return
    if not isinstance(reference, Drift):
        raise SettingError(
            f"reference is a {type(reference).__name__}; give the drift of rows that are as they "
            "should be, under this mixture: mixture.drift(X_normal)."
        )
    if reference._mixture != predictor.density_digest:
        raise SettingError(
            "The reference is the drift from another mixture. Take it again under this one: "
            "mixture.drift(X_normal)."
        )


@dataclass(frozen=True)
class _Levels:
    """What moments are of rows without drift, and their scales: of (k, 1 + 2 d) entries."""

    expected: Array
    scales: Array

    @classmethod
    def of(cls, mixture: Any, parameters: Parameters) -> _Levels:
        weights, shape = parameters.weights, parameters.means.shape
        variances = np.ones(shape)
        if _fitted_rows(mixture) < math.inf and getattr(mixture, "prior", None) is None:
            # What `reg_covar` adds to covariances is not in the rows.
            variances -= np.minimum(mixture.reg_covar / variances_of(parameters), 0.5)
        ones = np.ones(shape)
        expected = np.concatenate([weights[:, None], 0 * ones, weights[:, None] * variances], 1)
        own = np.maximum(weights, 0.0)[:, None]
        scales = np.sqrt(np.concatenate([own * (1 - own), own * ones, 2 * own * ones], 1))
        return cls(expected, np.where(scales > 0, scales, np.inf))

    def means(self, pieces: Pieces) -> Means:
        """Return the standardised mean moments of rows, less what is expected."""
        weights, sums = pieces.weights, pieces.sums.copy()
        d = (sums.shape[2] - 1) // 2
        # About the variance that is expected for the weight that was found: so that a change of
        # weights alone is none of variances.
        own = np.where(self.expected[:, :1] > 0, self.expected[:, :1], 1.0)
        sums[:, :, 1 + d :] -= sums[:, :, :1] * (self.expected[:, 1 + d :] / own)
        sums[:, :, 0] -= weights[:, None] * self.expected[:, 0]
        return Means.of(weights, (sums / self.scales).reshape(len(weights), -1))

    def parts(self, pieces: Pieces | None) -> tuple[Array, Array, Array]:
        """Return weights (k,), means and standard deviations (k, d) of the components of rows.

        The latter two are in standard deviations of the mixture; without rows all are what is
        expected.
        """
        total = self.expected if pieces is None else pieces.sums.sum(0) / pieces.weights.sum()
        d = (total.shape[1] - 1) // 2
        weights = total[:, 0]
        own = np.where(weights > EMPTY, weights, np.nan)[:, None]
        means, squares = total[:, 1 : 1 + d] / own, total[:, 1 + d :] / own
        return weights, means, np.sqrt(np.maximum(squares - means**2, 0.0))


def _drift(mixture: Any, predictor: Predictor, pieces: Pieces, reference: Drift | None) -> Drift:
    levels = _Levels.of(mixture, predictor.parameters)
    _check_enough(pieces)
    means = levels.means(pieces)
    fitted_rows = math.nan
    if reference is not None:
        means = means.minus(levels.means(reference._pieces))
    else:
        fitted_rows = _fitted_rows(mixture)
        means = means.inflated(1 + pieces.weighing.effective_rows / fitted_rows)
    k, d = predictor.parameters.means.shape
    places = np.arange(k * (1 + 2 * d)).reshape(k, 1 + 2 * d)
    cells = np.stack([places[:, 1 : 1 + d], places[:, 1 + d :]], axis=2)
    scaled = means.tempered(_variance(pieces, reference, fitted_rows))
    whole = assess(scaled, slice(None))
    chance = (means.residuals**2).sum(axis=0)
    divergence = max(0.0, float(means.means @ means.means - chance.sum()) / 2)
    if reference is None:
        _warn_of_unfinished(mixture, whole, float(chance.sum()), divergence)
    squares = np.where(chance > 0, means.means**2, np.nan)
    of_cells = np.array([[assess(scaled, cell).p_value for cell in row] for row in cells])
    of_weights = np.array([assess(scaled, row[:1]).p_value for row in places])
    both = adjusted(np.column_stack([of_weights, of_cells]))
    now = levels.parts(pieces)
    before = levels.parts(None if reference is None else reference._pieces)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = now[2] / before[2]
    return Drift(
        rows=pieces.weighing.rows,
        divergence=divergence,
        p_value=whole.p_value,
        statistic=whole.statistic,
        log_likelihood=pieces.log_likelihood / pieces.weighing.total,
        weight_changes=now[0] - before[0],
        mean_shifts=now[1] - before[1],
        sd_ratios=ratios,
        component_p_values=adjusted(np.array([assess(scaled, row).p_value for row in places])),
        feature_p_values=adjusted(
            np.array([assess(scaled, cells[:, j].ravel()).p_value for j in range(d)])
        ),
        p_values=both[:, 1:],
        weight_p_values=both[:, 0],
        features=names_of_axes(mixture),
        fitted_rows=fitted_rows,
        _pieces=pieces,
        _sizes=np.column_stack([squares[places[:, 0]], squares[cells].sum(axis=2)]),
        _mixture=predictor.density_digest,
    )


def _variance(pieces: Pieces, reference: Drift | None, fitted_rows: float) -> float:
    """Return the variance of the mean of a moment of variance 1, less what it is compared with."""
    other = fitted_rows if reference is None else reference._pieces.weighing.effective_rows
    return 1 / pieces.weighing.effective_rows + 1 / other


def _fitted_rows(mixture: Any) -> float:
    """Return the rows that the parameters are estimated from; infinity if that is not known."""
    known = seen_of(mixture).rows
    return known if known > 0 else math.inf


def _check_enough(pieces: Pieces) -> None:
    """Raise `DataError` if there are too few rows to tell how much their moments vary."""
    shares = pieces.weights / pieces.weights.sum()
    if not 1 / float(shares @ shares) >= LEAST_PIECES - 1:
        raise DataError(
            f"X has {counted(pieces.weighing.rows, 'row')} of positive weight, "
            f"{pieces.weighing.effective_rows:,.0f} effective ones: too few to tell drift from "
            f"chance. Give {LEAST_PIECES * FIRST_ROWS} and more, of weights that differ less."
        )


def _warn_of_unfinished(mixture: Any, whole: Assessed, chance: float, divergence: float) -> None:
    """Warn if the fit stopped so far from its maximum that the test would see that.

    Half the squared score is at most the gain that is left: of a larger divergence it is no cause.
    """
    gap = float(getattr(mixture, "gap_estimate_", math.nan))
    seen = 2 * gap > PART_OF_NOISE * chance * math.sqrt(2 / whole.degrees)
    if seen and divergence < FAR_MORE * gap:
        warn_user(
            f"The fit stopped about {gap:.1g} nats per row below its maximum, and so many rows "
            f"show that as drift. Fit with {remedy(*NEARER)}.",
            ConvergenceWarning,
        )
