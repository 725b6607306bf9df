"""EM that continues with new rows, beside what the parameters hold of earlier ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeVar

from daskgmm.em.survey.weighing import check_some
from daskgmm.errors import SettingError
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.implied_moments import (
    difference,
    expected_log_likelihood,
    implied_moments,
    moments_about,
    scaled_moments,
)
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.facts.fitted_on import has_gaps, has_labels
from daskgmm.models.facts.seen import Seen, seen_of
from daskgmm.models.mixtures.moments import MixtureMoments
from daskgmm.models.mixtures.stepping import check_steps, maximised, moments_under
from daskgmm.models.settings.equal_weights import has_equal_weights
from daskgmm.names import MARGINALISE
from daskgmm.readers import remedy

Kind = TypeVar("Kind")

SET_SEEN = "Set it, mixture.n_seen_ = 10_000.0 (the sum of their weights), or give"

SAME_WEIGHT = 1e-9
"""Relative difference of weights that is rounding."""


@dataclass(frozen=True)
class Update:
    """What an update is asked for, as `GaussianMixture.update` takes it."""

    forget: float = 0.0
    replaces: MixtureMoments | None = None
    max_iter: int = 1
    tol: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what none of these may be."""
        if not _is_number(self.forget) or not 0 <= self.forget <= 1:
            raise SettingError(
                f"forget is {self.forget!r}; give the part of the weight of earlier rows to be "
                "forgotten, from 0 (none) to 1 (all)."
            )
        if self.replaces is not None and not isinstance(self.replaces, MixtureMoments):
            raise SettingError(
                f"replaces is a {type(self.replaces).__name__}; give the earlier moments of these "
                "rows, which mixture.moments(X) returned when they were counted."
            )
        if self.replaces is not None and self.forget:
            raise SettingError(
                "forget and replaces exclude each other: after some of the past is forgotten, it "
                "is not known how much of these rows is left. Leave out one of them."
            )
        count: Any = self.max_iter
        if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
            raise SettingError(f"max_iter is {count!r}; give a number of passes, 1 or more.")
        if not _is_number(self.tol) or not self.tol >= 0:
            raise SettingError(f"tol is {self.tol!r}; give a gain in nats per row, 0 or more.")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def updated(mixture: Kind, x: Any, sample_weight: Any, asked: Update) -> Kind:
    """Return the mixture after EM on new rows; see `GaussianMixture.update`."""
    start: Any = mixture
    check_steps(start, start._parameters())
    past = None if asked.forget == 1 else _past(start, asked)
    _check_given(x, sample_weight, asked)
    after, bounds, objective, converged = start, [], -math.inf, False
    for _ in range(asked.max_iter):
        before: Parameters = after._parameters()
        new = _moments(after, x, sample_weight)
        whole, kept = new.statistics, None
        if past is not None:
            points = new.statistics.reference
            kept = moments_about(past, STRUCTURES[before.structure].statistic, points)
            whole = kept + new.statistics
        bounds.append(new.log_likelihood)
        last, objective = objective, _objective(new, kept, before) if asked.tol else -math.inf
        after = maximised(after, before, whole)
        if objective - last < asked.tol:
            converged = True
            break
    after.n_iter_, after.converged_ = len(bounds), converged
    after.lower_bound_, after.lower_bounds_ = bounds[-1], bounds
    seen = Seen.of(new.weighing)
    (seen if past is None else _kept(start, asked) + seen).set_on(after)
    found: Kind = after
    return found


def _moments(mixture: Any, x: Any, sample_weight: Any) -> MixtureMoments:
    if not isinstance(x, MixtureMoments):
        found = moments_under(mixture, x, sample_weight)
        check_some(found.weighing, sample_weight is not None)
        return found
    if x.mixture != mixture._predictor().density_digest:
        raise SettingError(
            "These moments are under another mixture. Take them again: mixture.moments(X)."
        )
    if not x.weight > 0:
        raise SettingError("These moments are of no rows. Add those of some rows.")
    return x


def _check_given(x: Any, sample_weight: Any, asked: Update) -> None:
    """Raise `SettingError` for what moments in place of rows cannot have."""
    if not isinstance(x, MixtureMoments):
        return
    if sample_weight is not None:
        raise SettingError("Moments have the weights of their rows: leave out sample_weight.")
    if asked.max_iter > 1:
        raise SettingError(
            "Moments are good for one step, after which they are under another mixture. Give rows, "
            "or max_iter=1."
        )


def _objective(new: MixtureMoments, past: Moments | None, parameters: Parameters) -> float:
    """Return what no pass lowers, in nats per row."""
    total = new.statistics.log_likelihood
    if past is None:
        return total / new.weight
    return (total + expected_log_likelihood(past, parameters)) / (new.weight + past.weight)


def _past(mixture: Any, asked: Update) -> Moments:
    """Return the moments of earlier rows, about the means."""
    check_keeps_the_past(mixture)
    weight = seen_of(mixture).weight
    if math.isnan(weight):
        raise SettingError(
            "It is not known how many rows this mixture holds: it was not fitted, stepped or "
            f"updated here. {remedy(SET_SEEN, 'Give')} forget=1 to fit to the new rows alone."
        )
    parameters: Parameters = mixture._parameters()
    past = implied_moments(parameters, weight, float(mixture.reg_covar))
    past = scaled_moments(past, 1 - asked.forget)
    if asked.replaces is None:
        return past
    if has_labels(mixture):
        raise SettingError(
            "The mixture was fitted with labels, and moments of rows know of none: replaces would "
            "take out others than were counted. Leave it out, or fit again to all rows."
        )
    old = asked.replaces
    if (old.covariance_type, old.means.shape) != (parameters.structure, parameters.means.shape):
        raise SettingError(
            "replaces are moments of another kind of mixture: give those that mixture.moments(X) "
            "returned for these rows before they were counted."
        )
    if old.weight > weight * (1 + SAME_WEIGHT):
        raise SettingError(
            f"replaces are of rows of the weight {old.weight:g}, and this mixture holds "
            f"{weight:g}: these rows are not counted in it. Leave out replaces."
        )
    statistic = STRUCTURES[parameters.structure].statistic
    return difference(past, moments_about(old.statistics, statistic, parameters.means))


def _kept(mixture: Any, asked: Update) -> Seen:
    """Return what is left of the rows that the mixture held."""
    seen = seen_of(mixture).scaled(1 - asked.forget)
    return seen if asked.replaces is None else seen.less(asked.replaces.weight)


def check_keeps_the_past(mixture: Any) -> None:
    """Raise `SettingError` for a mixture whose parameters do not tell the moments of its rows."""
    because, ended = None, mixture._ended_with
    if ended is not None and ended.prior is not None:
        because = "it was fitted with a prior, which its parameters hold as if it were rows"
    elif has_gaps(mixture):
        because = "rows counted with gaps, and parameters do not tell what these rows lack"
    elif has_equal_weights(mixture):
        because = "equal_weights=True fixes weights that would say how many rows each one has"
    elif not STRUCTURES[mixture._structure_name].free:
        because = (
            f"covariances of the structure {mixture._structure_name!r} are constrained, and do not "
            "tell the second moments of the rows"
        )
    if because is not None:
        raise SettingError(
            f"This mixture does not hold its earlier rows: {because}. Give forget=1 to fit to the "
            "new rows alone, or keep moments of all parts and call step with their sum."
        )


def check_streams(mixture: Any) -> None:
    """Raise `SettingError` for settings of which no fit continues with new rows."""
    because = None
    if getattr(mixture, "prior", None) is not None:
        because = f"prior={mixture.prior!r} is made from all rows"
    elif mixture.noise or mixture.tails is not None:
        because = "an M-step for outliers (noise, tails) needs sums that parameters do not hold"
    elif mixture.missing == MARGINALISE:
        because = "missing='marginalise' counts rows with gaps"
    elif mixture.equal_weights:
        because = "equal_weights=True fixes weights that would say how many rows each one has"
    elif mixture.covariance_type in FAMILIES or not STRUCTURES[mixture._structure_name].free:
        because = f"covariance_type={mixture.covariance_type!r} is constrained"
    if because is not None:
        raise SettingError(
            f"partial_fit continues from the moments that parameters hold, and here they hold too "
            f"little: {because}. Leave that setting out, or call fit on all rows."
        )


def check_as_begun(mixture: Any) -> None:
    """Raise `SettingError` where settings were changed to those of another mixture."""
    k, asked = len(mixture.weights_), (bool(mixture.standardise), mixture.pca)
    changed = None
    if mixture.n_components != k:
        changed = f"n_components={mixture.n_components}, and it has {k}"
    elif getattr(mixture, "_fitted_in", asked) != asked:
        changed = "standardise or pca, and it has the coordinates of the first rows"
    if changed is not None:
        raise SettingError(
            f"partial_fit continues with the mixture that is there, and settings were changed: "
            f"{changed}. Set that back, or call fit to begin anew."
        )
