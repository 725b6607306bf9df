"""The model document: a fitted mixture as plain values, in the order of a model card.

Format version 2 is one flat object. Arrays are nested lists, row by row; numbers read back as
the float64 that they were; nan is null, and infinities are the strings "inf" and "-inf".

======================== ====================================================================
format, format_version   what this is; a reader refuses a version above those it knows
written, versions        when (UTC), and by which versions of what
converged, n_iter        how the fit ended
lower_bound              `lower_bound_`, nats per row
gap_estimate             `gap_estimate_`, nats per row; null if unknown
objective                what `lower_bound` is of: `em.objective.Objective`; null if it was set by
                         hand; files of earlier versions lack it: it is that of their settings
criteria                 `criteria_`: log_likelihood (mean, nats per row), n_parameters, n (rows
                         that count; files of earlier versions lack it), aic and bic (null where
                         n is unknown), `measured` in words: where; models of a sweep have icl,
                         heldout and heldout_se too
types                    names of the estimator's class and of those it is made from, as
                         `ESTIMATORS` has them; older files lack it, and hold a GaussianMixture
settings                 those of every estimator, and what else the constructor takes, but for
                         values that JSON cannot hold; of an estimator of one's own, earlier
                         versions wrote what its constructor takes
n_features               d, columns of the data
data                     `fitted_on_`: source, rows, weight, dtype, mean, minimum, maximum,
                         effective_rows, weights_are, and sha256, a digest of the facts before
                         these two; null if unknown
feature_names            `feature_names_in_` or null; feature_units and feature_dims alike
history                  `history_`, a list for each column; null if there is none
lower_bounds             `lower_bounds_`
coordinates              null, or `coordinates_`: origin (d), scales (d), axes (d, r) or null,
                         explained (r) or null, and variances (r), which may be left out;
                         z = ((x - origin) / scales) axes
weights, means           (k), (k, r); r is d where there are no axes
covariances,             (k, r, r) full, (r, r) tied, (k, r) diag, (k) spherical, (k, q + 1, r)
precisions_cholesky      of ppca and factor (`gaussian.covariance.low_rank`)
noise                    of a mixture with `noise` alone: weight, log_volume
contamination            of one with contaminated tails alone: clean_shares (k), inflations (k)
student                  of one with Student-t tails alone: degrees_of_freedom (k); covariances are
                         scatter matrices then
adapted                  of one from `map_adapt` alone: `adapted_`; relevance, an object of numbers,
                         n_iter, source, rows, weight, effective_rows, weights_are, background
n_seen, rows_per_weight  of one from `step`, `update` or `partial_fit` alone: `n_seen_`, the weight
                         of the rows that its parameters hold, and how many effective rows a unit
                         of it is
clusters                 of one whose components were merged alone: `clusters_`, (k)
posterior                of a BayesianGaussianMixture alone: weight_concentration (k), or two of
                         them for a Dirichlet process, mean_precision (k), degrees_of_freedom (k),
                         or a number if tied, and the hyperparameters of the prior
sha256                   `digest_of` all of the above
======================== ====================================================================

Version 1 lacked criteria, data, feature_units, feature_dims, history, coordinates and sha256.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from daskgmm.em.checkpoints.checkpoint import versions
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.gaussian.covariance.structures import STRUCTURES, structure_name
from daskgmm.models.files.card_entries import (
    adapted_document,
    clusters_document,
    objective_document,
    seen_document,
    set_card,
)
from daskgmm.models.files.entries import count_in, list_in, plain, texts_from
from daskgmm.models.files.parameter_entries import (
    check_readable,
    coordinates_document,
    coordinates_from,
    outliers_document,
    set_parameters,
)
from daskgmm.models.files.settings_entry import (
    Kind,
    check_settings,
    checked_settings,
    made_with,
    names_of,
    settings_document,
)
from daskgmm.models.mixtures.mixture import Mixture

FORMAT = "daskgmm-gaussian-mixture"

FORMAT_VERSION = 2


AS_VERSION_1 = ("criteria", "data", "feature_units", "feature_dims", "history", "coordinates")
"""What version 1 lacked, and null stands for."""

Choose = Callable[[Sequence[str]], type[Kind]]
"""Returns the class of the first name that is known; raises `UnknownNameError` for others."""


def document_of(mixture: Mixture) -> dict[str, Any]:
    """Return a fitted mixture as plain values, all but the checksum.

    Attributes that a mixture need not have to predict (it may have been set up by hand) are
    null, empty or false where they are missing.

    Raises
    ------
    ValueError
        If settings were changed after the fit to what no fit has: it could not be read again.
    """
    parameters = mixture._parameters()
    settings = settings_document(mixture)
    objective = mixture._ended_with
    check_readable(mixture, settings, parameters)
    coordinates = getattr(mixture, "coordinates_", None)
    structure, r = STRUCTURES[parameters.structure], parameters.n_features
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {**versions(), "dask": version("dask"), "python": platform.python_version()},
        "converged": bool(getattr(mixture, "converged_", False)),
        "n_iter": int(getattr(mixture, "n_iter_", 0)),
        "lower_bound": plain(float(getattr(mixture, "lower_bound_", math.nan))),
        "gap_estimate": plain(float(getattr(mixture, "gap_estimate_", math.nan))),
        "objective": None if objective is None else objective_document(objective),
        "criteria": plain(mixture._known_criteria()),
        "types": names_of(type(mixture)),
        "settings": settings,
        "n_features": r if coordinates is None else coordinates.n_columns,
        "data": plain(getattr(mixture, "fitted_on_", None)),
        "feature_names": texts_from(getattr(mixture, "feature_names_in_", None)),
        "feature_units": texts_from(getattr(mixture, "feature_units_", None)),
        "feature_dims": plain(getattr(mixture, "feature_dims_", None)),
        "history": plain(getattr(mixture, "history_", None)),
        "lower_bounds": plain(list(getattr(mixture, "lower_bounds_", []))),
        "coordinates": coordinates_document(coordinates),
        "weights": parameters.weights.tolist(),
        "means": parameters.means.tolist(),
        "covariances": structure.external(parameters.covariances, r).tolist(),
        "precisions_cholesky": structure.external(parameters.precisions_cholesky, r).tolist(),
        **outliers_document(parameters),
        **adapted_document(mixture),
        **clusters_document(mixture),
        **seen_document(mixture),
        **mixture._own_entries(),
    }


class UnknownNameError(Exception):
    """A document has a name that is not in its table, as that of a covariance structure."""


def mixture_of(document: Mapping[str, Any], choose: Choose[Kind]) -> Kind:
    """Return the mixture that a document of version 1 or 2 describes.

    `choose` is told `types`, and returns the class to make.
    """
    if document["format_version"] == 1:
        document = _from_version_1(document)
    types = list_in(document, "types", None) if "types" in document else ["GaussianMixture"]
    kind = choose(types)
    mixture = made_with(kind, checked_settings(document["settings"], kind, types))
    structure = structure_name(mixture.covariance_type)
    if structure not in STRUCTURES and structure not in FAMILIES:
        raise UnknownNameError(
            f"its covariance_type {str(structure)[:60]!r} is not one of "
            f"{', '.join([*STRUCTURES, *FAMILIES])}. "
            "Import the module that adds it to daskgmm.gaussian.STRUCTURES first (--import), or "
            "use the version that wrote the file."
        )
    check_settings(mixture)
    mixture.n_features_in_ = d = count_in(document, "n_features")
    mixture.coordinates_ = coordinates = coordinates_from(document["coordinates"], d)
    set_parameters(mixture, document, d if coordinates is None else coordinates.n_features)
    mixture._set_own_entries(document)
    set_card(mixture, document)
    return mixture


def _from_version_1(document: Mapping[str, Any]) -> dict[str, Any]:
    bound = document["lower_bound"]
    return {
        **dict.fromkeys(AS_VERSION_1),
        **document,
        # Version 1 wrote null for all that is not finite; a fit without iterations has -inf.
        "lower_bound": "-inf" if bound is None else bound,
    }
