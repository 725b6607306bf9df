"""EM by hand: the moments of rows under a fitted mixture, and the M-step from them."""

from __future__ import annotations

from typing import Any, TypeVar

from daskgmm.blas import one_blas_thread
from daskgmm.companions import Companions
from daskgmm.em.survey.adaptation import moments_of
from daskgmm.errors import DegenerateComponentWarning, ScaleWarning, SettingError
from daskgmm.gaussian.kernels.choice import TOLERANCE, moment_error
from daskgmm.gaussian.m_step import maximise
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.facts.degeneracy import degeneracies
from daskgmm.models.facts.fitted_on import has_known_noise
from daskgmm.models.facts.seen import Seen
from daskgmm.models.inputs.rows import scoring_data
from daskgmm.models.mixtures.adaptation import with_parameters
from daskgmm.models.mixtures.far_rows import warn_of_far_rows
from daskgmm.models.mixtures.moments import MixtureMoments
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.settings.equal_weights import has_equal_weights
from daskgmm.names import MARGINALISE
from daskgmm.user_warnings import warn_user

Kind = TypeVar("Kind")


def moments_under(mixture: Any, x: Any, sample_weight: Any) -> MixtureMoments:
    """Return the moments of rows under a fitted mixture; see `GaussianMixture.moments`."""
    predictor: Predictor = mixture._predictor()
    check_steps(mixture, predictor.parameters)
    rows, weights = scoring_data(mixture, x, sample_weight)
    data = predictor.dataset(rows, Companions(weights), present=True)
    with one_blas_thread():
        found = moments_of(
            data.in_coordinates(predictor.transform.coordinates), predictor.parameters
        )
    warn_of_far_rows(found.moments, predictor.parameters, mixture._axis_names())
    structure = predictor.parameters.structure
    return MixtureMoments(predictor.density_digest, structure, found.moments, found.weighing)


def stepped(mixture: Kind, moments: MixtureMoments) -> Kind:
    """Return the mixture after an M-step; see `GaussianMixture.step`."""
    asked: Any = mixture
    predictor: Predictor = asked._predictor()
    before = predictor.parameters
    check_steps(mixture, before)
    if not isinstance(moments, MixtureMoments):
        raise SettingError(
            f"moments is a {type(moments).__name__}; give moments of rows: mixture.moments(X)."
        )
    if moments.mixture != predictor.density_digest:
        raise SettingError(
            "These moments are under another mixture, and EM steps from moments under this one. "
            "Take them again: mixture.moments(X)."
        )
    if not moments.weight > 0:
        raise SettingError("These moments are of no rows. Add those of some rows.")
    other = maximised(mixture, before, moments.statistics)
    other.n_iter_, other.lower_bound_ = 1, moments.log_likelihood
    other.lower_bounds_ = [moments.log_likelihood]
    Seen.of(moments.weighing).set_on(other)
    found: Kind = other
    return found


def maximised(mixture: Any, before: Parameters, moments: Moments) -> Any:
    """Return the mixture of an M-step after parameters; warn of what went wrong with it."""
    with one_blas_thread():
        step = maximise(moments, before.structure, float(mixture.reg_covar), before)
    after = step.parameters
    if moment_error(after, moments.reference) > TOLERANCE:
        warn_user(
            "A component moved by so many of its widths that the covariances of this step are "
            "rounded. Take the moments again under the new mixture, and step once more.",
            ScaleWarning,
        )
    for message in degeneracies(step, (), mixture._axis_names()):
        warn_user(message, DegenerateComponentWarning)
    if has_equal_weights(mixture):
        after = after.with_equal_weights()
    return with_parameters(mixture, after)


def check_steps(mixture: Any, parameters: Parameters) -> None:
    """Raise `SettingError` for a mixture whose M-step needs more than the moments of its rows."""
    because = None
    if parameters.log_weights is not None:
        because = "a variational posterior has a prior that moments do not hold"
    elif has_known_noise(mixture):
        because = "it was fitted with noise_variance, and moments are those of exact rows"
    elif mixture.missing == MARGINALISE:
        because = "missing='marginalise' counts rows with gaps, and moments are those of whole rows"
    elif parameters.makes_room:
        because = "its M-step for outliers (noise, tails) needs sums that moments do not hold"
    elif getattr(mixture, "prior", None) is not None:
        because = f"prior={mixture.prior!r} is made from all rows, and moments do not hold it"
    if because is not None:
        raise SettingError(
            f"This mixture makes no steps from moments: {because}. "
            "Fit anew to all rows, or fit a GaussianMixture without prior, noise, tails, "
            "noise_variance and missing='marginalise'."
        )
