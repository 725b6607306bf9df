"""The model document: a fitted mixture as plain values, in the order of a model card.

Format version 2 is one flat object. Arrays are nested lists, row by row; numbers read back as
the float64 that they were; nan is null, and infinities are the strings "inf" and "-inf".

======================== ====================================================================
format, format_version   what this is; a reader refuses a version above those it knows
written, versions        when (UTC), and by which versions of what
converged, n_iter        how the fit ended
lower_bound              `lower_bound_`, nats a row
gap_estimate             `gap_estimate_`, nats a row; null if unknown
objective                what `lower_bound` is of: `em.objective.Objective`; null if it was set by
                         hand; files of earlier versions lack it: it is that of their settings
criteria                 `criteria_`: log_likelihood (mean, nats a row), n_parameters, n (rows
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

import json
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from daskgmm.em.checkpoints.checkpoint import versions
from daskgmm.em.objective import Objective
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.gaussian.covariance.low_rank.precision import LowRank, parts
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES, structure_name
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.prior import Prior
from daskgmm.gaussian.priors.table import PRIORS, shortest
from daskgmm.models.facts.clusters import clusters_of
from daskgmm.models.mixtures.mixture import Mixture
from daskgmm.models.settings.factors import check_enough_features

FORMAT = "daskgmm-gaussian-mixture"
FORMAT_VERSION = 2

INFINITIES = {"inf": math.inf, "-inf": -math.inf}

AS_VERSION_1 = ("criteria", "data", "feature_units", "feature_dims", "history", "coordinates")
"""What version 1 lacked, and null stands for."""

NOT_WRITTEN = {"noise": False, "tails": None, "equal_weights": False, "n_factors": None}
"""Settings that are not written unless they are others, so that readers of before them read on."""

UNIT_SUM = 1e-6
"""By how much the sum of weights may differ from 1: weights in single precision do by 1e-7."""

MOST = 2**31 - 1
"""Of whatever is counted in a document: no fit has more iterations, nor an array more columns."""

Kind = TypeVar("Kind", bound=Mixture)

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
    settings = _settings(mixture)
    objective = mixture._ended_with
    _check_readable(mixture, settings, parameters)
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
        "objective": None if objective is None else _objective_document(objective),
        "criteria": plain(mixture._known_criteria()),
        "types": names_of(type(mixture)),
        "settings": settings,
        "n_features": r if coordinates is None else coordinates.n_columns,
        "data": plain(getattr(mixture, "fitted_on_", None)),
        "feature_names": _texts(getattr(mixture, "feature_names_in_", None)),
        "feature_units": _texts(getattr(mixture, "feature_units_", None)),
        "feature_dims": plain(getattr(mixture, "feature_dims_", None)),
        "history": plain(getattr(mixture, "history_", None)),
        "lower_bounds": plain(list(getattr(mixture, "lower_bounds_", []))),
        "coordinates": _coordinates_document(coordinates),
        "weights": parameters.weights.tolist(),
        "means": parameters.means.tolist(),
        "covariances": structure.external(parameters.covariances, r).tolist(),
        "precisions_cholesky": structure.external(parameters.precisions_cholesky, r).tolist(),
        **_outliers_document(parameters),
        **_adapted_document(mixture),
        **_clusters_document(mixture),
        **_seen_document(mixture),
        **mixture._own_entries(),
    }


def names_of(kind: type[Mixture]) -> list[str]:
    """Return the names of a class and of the estimators it is made from, the most special first."""
    mixtures = [each for each in kind.__mro__ if issubclass(each, Mixture)]
    return [each.__name__ for each in mixtures if not vars(each).get("_is_base", False)]


class UnknownNameError(Exception):
    """A document has a name that is not in its table, as that of a covariance structure."""


def mixture_of(document: Mapping[str, Any], choose: Choose[Kind]) -> Kind:
    """Return the mixture that a document of version 1 or 2 describes.

    `choose` is told `types`, and returns the class to make.
    """
    if document["format_version"] == 1:
        document = _from_version_1(document)
    types = _list(document, "types", None) if "types" in document else ["GaussianMixture"]
    kind = choose(types)
    mixture = _made(kind, _checked_settings(document["settings"], kind, types))
    structure = structure_name(mixture.covariance_type)
    if structure not in STRUCTURES and structure not in FAMILIES:
        raise UnknownNameError(
            f"its covariance_type {str(structure)[:60]!r} is none of "
            f"{', '.join([*STRUCTURES, *FAMILIES])}. "
            "Import the module that adds it to daskgmm.gaussian.STRUCTURES first (--import), or "
            "use the version that wrote the file."
        )
    _check_settings(mixture)
    mixture.n_features_in_ = d = _count(document, "n_features")
    mixture.coordinates_ = coordinates = _coordinates(document["coordinates"], d)
    _set_parameters(mixture, document, d if coordinates is None else coordinates.n_features)
    mixture._set_own_entries(document)
    _set_card(mixture, document)
    return mixture


def plain(value: Any) -> Any:
    """Return a value as JSON holds it; what JSON has no kind for becomes its text."""
    value = _of_python(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return None if math.isnan(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value if value is None or isinstance(value, str | int) else str(value)


def _of_python(value: Any) -> Any:
    """Return an array as lists and a number of NumPy's as one of Python's."""
    if isinstance(value, np.floating):
        return float(value)  # what has more digits than a float has no list
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def number(value: Any) -> Any:
    """Return a number from JSON: nan for null; raise ValueError if it is something else."""
    if isinstance(value, str):
        if value not in INFINITIES:
            raise ValueError(f"{value[:60]!r} stands where a number should")
        return INFINITIES[value]
    if value is not None and not isinstance(value, int | float):
        raise ValueError(f"a {type(value).__name__} stands where a number should")
    return math.nan if value is None else value


def _from_version_1(document: Mapping[str, Any]) -> dict[str, Any]:
    bound = document["lower_bound"]
    return {
        **dict.fromkeys(AS_VERSION_1),
        **document,
        # Version 1 wrote null for all that is not finite; a fit without iterations has -inf.
        "lower_bound": "-inf" if bound is None else bound,
    }


def _settings(mixture: Mixture) -> dict[str, Any]:
    """Return the settings, those that are attributes of the class too, as JSON can hold them."""
    kept = {}
    for name in _setting_names(type(mixture)):
        if name in NOT_WRITTEN and getattr(mixture, name) == NOT_WRITTEN[name]:
            continue
        value = getattr(mixture, name)
        value = structure_name(value) if name == "covariance_type" else value
        try:
            text = json.dumps(_plain_setting(value), allow_nan=False)
        except (TypeError, ValueError):
            continue
        kept[name] = json.loads(text)
    return kept


def _plain_setting(value: Any) -> Any:
    """Return a setting as Python's values; a prior as its name, or with its hyperparameters."""
    value = shortest(value)
    if not isinstance(value, Prior):
        return _of_python(value)
    return {"name": value.name, **asdict(cast("Any", value))}


def _prior_read(value: Any) -> Any:
    """Return a prior that was written with its hyperparameters; of an unknown name, as it is."""
    if not isinstance(value, Mapping) or value.get("name") not in PRIORS:
        return value
    hyperparameters = {key: given for key, given in value.items() if key != "name"}
    try:
        return type(PRIORS[value["name"]])(**hyperparameters)
    except TypeError as error:
        raise ValueError(
            f"the prior {value['name']!r} has no such hyperparameters: {error}"
        ) from None


def _setting_names(kind: type[Mixture]) -> list[str]:
    return sorted({*kind._get_param_names(), *kind._parameter_constraints})


def _checked_settings(settings: Any, kind: type[Mixture], types: Sequence[str]) -> dict[str, Any]:
    """Return the settings that the class has; others may be those of a class made from it."""
    known = _setting_names(kind)
    unknown = [name for name in _mapping(settings, "settings") if name not in known]
    if unknown and types[0] == kind.__name__:
        raise ValueError(f"there is no setting {unknown[0][:60]!r}")
    taken = {name: value for name, value in settings.items() if name in known}
    if "prior" in taken:
        taken["prior"] = _prior_read(taken["prior"])
    return taken


def _made(kind: type[Kind], settings: Mapping[str, Any]) -> Kind:
    """Return an estimator with these settings, whether its constructor takes them or not."""
    taken = set(kind._get_param_names())
    mixture = kind(**{name: value for name, value in settings.items() if name in taken})
    for name, value in settings.items():
        if name not in taken and getattr(mixture, name) != value:
            setattr(mixture, name, value)
    return mixture


def _check_settings(mixture: Mixture) -> None:
    """Raise `ValueError` for settings that no fit has.

    A prior may have any name: predictions need none, and a fit looks it up.
    """
    checked = copy(mixture)
    if isinstance(getattr(mixture, "prior", None), str | Mapping):
        checked.prior = None
    checked._validate_params()


def _set_parameters(mixture: Mixture, document: Mapping[str, Any], r: int) -> None:
    structure, k = STRUCTURES[mixture._structure_name], len(document["weights"])
    check_enough_features([structure.name], r)
    shape = structure.external_shape(k, r)
    mixture._fitted_structure = structure.name
    mixture.weights_ = array_of(document, "weights", (k,))
    mixture.means_ = array_of(document, "means", (k, r))
    mixture.covariances_ = array_of(document, "covariances", shape)
    mixture.precisions_cholesky_ = array_of(document, "precisions_cholesky", shape)
    factors = structure.internal(mixture.precisions_cholesky_, k, r)
    mixture.precisions_ = structure.external(structure.precision.precisions(factors), r)
    _set_outliers(mixture, document, k)
    _check_weights(mixture.weights_, mixture.n_components, getattr(mixture, "noise_weight_", 0.0))
    _check_covariances(structure, structure.internal(mixture.covariances_, k, r), factors, r)


def _outliers_document(parameters: Parameters) -> dict[str, Any]:
    """Return the entries of outliers; none for a mixture of Gaussians alone."""
    if parameters.has_noise:
        values = {"weight": parameters.noise_weight, "log_volume": parameters.log_volume}
        return {"noise": plain(values)}
    if parameters.is_contaminated:
        shares = {"clean_shares": parameters.clean, "inflations": parameters.inflation}
        return {"contamination": plain(shares)}
    if parameters.degrees is not None:
        return {"student": plain({"degrees_of_freedom": parameters.degrees})}
    return {}


def _set_outliers(mixture: Mixture, document: Mapping[str, Any], k: int) -> None:
    """Set the attributes of outliers, where the document has them."""
    if "noise" in document:
        given = _mapping(document["noise"], "noise")
        values = {name: np.float64(number(given[name])) for name in ("weight", "log_volume")}
        if not np.isfinite(list(values.values())).all() or not 0 <= values["weight"] <= 1:
            raise ValueError("'noise' is no proportion and the logarithm of a volume")
        mixture.noise_weight_ = float(values["weight"])
        mixture.noise_log_volume_ = float(values["log_volume"])
    if "contamination" in document:
        given = _mapping(document["contamination"], "contamination")
        clean, inflation = (array_of(given, name, (k,)) for name in ("clean_shares", "inflations"))
        if not ((clean > 0) & (clean <= 1)).all() or not (inflation >= 1).all():
            raise ValueError("'contamination' has no proportions, or factors below 1")
        mixture.clean_shares_, mixture.inflations_ = clean, inflation
    if "student" in document:
        given = _mapping(document["student"], "student")
        degrees = array_of(given, "degrees_of_freedom", (k,))
        if not (degrees > 0).all():
            raise ValueError("'student' has degrees of freedom that are not positive")
        mixture.tail_degrees_ = degrees


def _set_card(mixture: Mixture, document: Mapping[str, Any]) -> None:
    """Set what predictions do not depend on."""
    mixture.converged_ = bool(document["converged"])
    mixture.n_iter_ = _count(document, "n_iter")
    mixture.lower_bound_ = float(number(document["lower_bound"]))
    mixture.lower_bounds_ = [float(number(bound)) for bound in document["lower_bounds"]]
    mixture.gap_estimate_ = float(number(document["gap_estimate"]))
    if document["criteria"] is not None:
        mixture._criteria = _criteria(document["criteria"])
    if document["history"] is not None:
        mixture.history_ = _history(document["history"])
    if document["data"] is not None:
        mixture.fitted_on_ = dict(_mapping(document["data"], "data"))
    if "adapted" in document:
        mixture.adapted_ = _adapted(document["adapted"])
    if "clusters" in document:
        mixture.clusters_ = _clusters(document["clusters"], len(mixture.weights_))
    if "n_seen" in document:
        mixture.__dict__["n_seen_"] = _weight(document["n_seen"], "n_seen")
        per_weight = document.get("rows_per_weight", 1.0)
        known = None if per_weight is None else _weight(per_weight, "rows_per_weight")
        mixture._rows_per_weight = math.nan if known is None else known
    d = mixture.n_features_in_
    if document["feature_names"] is not None:
        names = _list(document, "feature_names", d)
        mixture.feature_names_in_ = np.array(names, dtype=object)
    if document["feature_units"] is not None:
        mixture.feature_units_ = _list(document, "feature_units", d)
    if document["feature_dims"] is not None:
        mixture.feature_dims_ = _list(document, "feature_dims", None)
    mixture._ended_with = (
        _objective(document["objective"]) if "objective" in document else _objective_asked(mixture)
    )


def _clusters_document(mixture: Mixture) -> dict[str, Any]:
    """Return the entry of merged components; none for a mixture without."""
    clusters = clusters_of(mixture)
    return {} if clusters is None else {"clusters": plain(clusters)}


def _seen_document(mixture: Mixture) -> dict[str, Any]:
    """Return the entry of the rows that parameters hold; none where a fit says them."""
    if getattr(mixture, "n_seen_", None) is None:
        return {}
    per_weight = float(getattr(mixture, "_rows_per_weight", 1.0))
    return {"n_seen": plain(float(mixture.n_seen_)), "rows_per_weight": plain(per_weight)}


def _weight(value: Any, name: str) -> float:
    found = float(number(value))
    if not 0 <= found < math.inf:
        raise ValueError(f"{name!r} is no weight of rows")
    return found


def _clusters(values: Any, k: int) -> NDArray[np.intp]:
    """Return the cluster of each component; raise `ValueError` unless they are numbered."""
    if not isinstance(values, list) or len(values) != k or not all(type(v) is int for v in values):
        raise ValueError("'clusters' is no list of a whole number for each component")
    numbers = sorted(set(values))
    if numbers != list(range(len(numbers))):
        raise ValueError("'clusters' leaves out a number")
    return np.array(values, dtype=np.intp)


def _adapted_document(mixture: Mixture) -> dict[str, Any]:
    """Return the entry of an adaptation; none for a mixture that was fitted."""
    adapted = getattr(mixture, "adapted_", None)
    return {} if adapted is None else {"adapted": plain(adapted)}


def _adapted(values: Any) -> dict[str, Any]:
    found = dict(_mapping(values, "adapted"))
    relevance = _mapping(found["relevance"], "relevance").items()
    found["relevance"] = {name: float(number(rows)) for name, rows in relevance}
    found["n_iter"] = _count(found, "n_iter")
    found["background"] = dict(_mapping(found.get("background", {}), "background"))
    return found


def _objective_document(objective: Objective) -> dict[str, Any]:
    values: dict[str, Any] = plain(asdict(objective))
    if not objective.labels:
        del values["labels"]
    if not objective.equal_weights:
        del values["equal_weights"]  # readers of before it read on
    return values


def _objective(values: Any) -> Objective | None:
    if values is None:
        return None
    found = Objective(**_mapping(values, "objective"))
    for value in (found.prior, found.density, found.weights_are):
        if not isinstance(value, str | None):
            raise ValueError(f"a {type(value).__name__} stands in 'objective' where a text should")
    for name in ("equal_weights", "labels"):
        if not isinstance(getattr(found, name), bool):
            raise ValueError(f"{name!r} in 'objective' is neither true nor false")
    return replace(found, noise=float(number(found.noise)))


def _objective_asked(mixture: Mixture) -> Objective:
    """Return the objective of the settings, for a file that does not say it."""
    facts = getattr(mixture, "fitted_on_", {})
    settings = mixture._settings().weighed(facts.get("weights_are"))
    if isinstance(settings.prior, str) and settings.prior not in PRIORS:
        said, equal = settings.weights_are, settings.equal_weights
        return Objective(settings.noise, settings.prior, weights_are=said, equal_weights=equal)
    return Objective.of(settings, mixture.n_features_in_)


def _criteria(values: Any) -> dict[str, Any]:
    return {
        name: str(value) if name == "measured" else number(value)
        for name, value in _mapping(values, "criteria").items()
    }


def _history(columns: Any) -> dict[str, list[Any]]:
    found = {
        name: [number(value) for value in column]
        for name, column in _mapping(columns, "history").items()
    }
    if len({len(column) for column in found.values()}) > 1:
        raise ValueError("the columns of 'history' differ in length")
    return found


def _coordinates_document(coordinates: Coordinates | None) -> dict[str, Any] | None:
    if coordinates is None:
        return None
    names = ("origin", "scales", "axes", "explained")
    found = {name: plain(getattr(coordinates, name)) for name in names}
    if coordinates.variances is not None:
        found["variances"] = plain(coordinates.variances)
    return found


def _coordinates(parts: Any, d: int) -> Coordinates | None:
    if parts is None:
        return None
    given = _mapping(parts, "coordinates")
    origin, scales = array_of(given, "origin", (d,)), array_of(given, "scales", (d,))
    if not (scales > 0).all():
        raise ValueError("'scales' are not all positive")
    axes = None
    if given["axes"] is not None:
        r = len(given["axes"][0])
        axes = array_of(given, "axes", (d, r))
    shape = (d if axes is None else axes.shape[1],)
    explained = None if given["explained"] is None else array_of(given, "explained", shape)
    variances = None if given.get("variances") is None else array_of(given, "variances", shape)
    return Coordinates(origin, scales, axes, explained, variances)


def array_of(document: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return an array of finite numbers; raise `ValueError` for anything else."""
    array = np.array(document[name], dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"'{name}' has the shape {array.shape}, not {shape}")
    if not array.size or not np.isfinite(array).all():
        raise ValueError(f"'{name}' is empty or not finite")
    return array


def _check_readable(mixture: Mixture, settings: Mapping[str, Any], parameters: Parameters) -> None:
    """Raise `ValueError` for what `mixture_of` would refuse."""
    try:
        _check_settings(_made(type(mixture), settings))
        noise = parameters.noise_weight or 0.0
        _check_weights(parameters.weights, mixture.n_components, noise)
        structure, r = STRUCTURES[parameters.structure], parameters.n_features
        _check_covariances(structure, parameters.covariances, parameters.precisions_cholesky, r)
    except ValueError as error:
        raise ValueError(
            f"The model could not be read again: {str(error).rstrip('.')}. Set it back to what it "
            "was in the fit."
        ) from error


def _check_weights(weights: NDArray[np.float64], n_components: int, noise: float) -> None:
    if len(weights) != n_components:
        raise ValueError(f"n_components is {n_components}, and there are {len(weights)} weights")
    if not (weights >= 0).all() or abs(weights.sum() + noise - 1) > UNIT_SUM:
        raise ValueError("'weights' are not all positive or 0 with the sum 1")


def _check_covariances(
    structure: Structure,
    covariances: NDArray[np.float64],
    factors: NDArray[np.float64],
    r: int,
) -> None:
    """Raise `ValueError` for a factor without a determinant, or a variance below 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        determined = np.isfinite(structure.precision.log_determinants(factors, r))
    if not determined.all():
        raise ValueError(
            f"'precisions_cholesky'{_component(determined)} has a diagonal that is not positive"
        )
    variances = structure.precision.diagonals(covariances, r)
    if isinstance(structure.precision, LowRank):
        variances = parts(covariances)[1]
    positive = np.asarray((variances >= 0).all(axis=1))
    if not positive.all():
        raise ValueError(f"'covariances'{_component(positive)} has a variance below 0")


def _component(good: NDArray[np.bool_]) -> str:
    """Return the first component that is not good in words, nothing where all share one."""
    return f" of component {int(np.argmin(good))}" if len(good) > 1 else ""


def _count(document: Mapping[str, Any], name: str) -> int:
    value = document[name]
    if type(value) is not int or not 0 <= value <= MOST:
        raise ValueError(f"'{name}' is no count")
    return value


def _list(document: Mapping[str, Any], name: str, length: int | None) -> list[Any]:
    value = document[name]
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise ValueError(f"'{name}' is no list{f' of {length}' if length is not None else ''}")
    return value


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"'{name}' is no object")
    return value


def _texts(values: Any) -> list[str | None] | None:
    return None if values is None else [None if each is None else str(each) for each in values]
