"""Description of a model in words, for `daskgmm info`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from daskgmm.counting import counted
from daskgmm.em.settings import CONTAMINATED, NOISE, STUDENT
from daskgmm.models.bayesian_mixture import BayesianGaussianMixture
from daskgmm.models.classifying.classifier import GaussianMixtureClassifier
from daskgmm.models.facts.clusters import clusters_of
from daskgmm.models.facts.criteria import likelihoods_of, n_in_words
from daskgmm.models.fitting.estimator import MixtureEstimator
from daskgmm.models.settings.equal_weights import has_equal_weights
from daskgmm.models.settings.outliers import fitted_outliers
from daskgmm.models.settings.precision import precisions_of
from daskgmm.models.settings.truncation import left_out_in_words
from daskgmm.names import MARGINALISE
from daskgmm.readers import remedy
from daskgmm.report.listing import aligned, listed
from daskgmm.report.provenance import SHOWN_DIGITS
from daskgmm.rows.checks.name_lists import quoted

LISTED_COMPONENTS = 32
"""Largest number of components whose weights and means are listed."""

LISTED_FEATURES = 8
"""Largest number of features whose means are listed."""

SETTINGS = ("tol", "max_iter", "reg_covar", "n_init", "init_params", "random_state", "missing")
"""Settings that are shown."""


def describe_model(
    mixture: MixtureEstimator, name: str, classes: Sequence[str] | None = None
) -> str:
    """Describe a fitted mixture, with its weights and means if they are few.

    Of a classifier `classes` are those of its components (k,).
    """
    bayesian = isinstance(mixture, BayesianGaussianMixture)
    facts = [
        ("components", _components(mixture)),
        ("features", _features(mixture)),
        ("covariance", mixture._structure_name),
        *_prior(mixture),
        *_outliers(mixture),
        *([("weights", "equal, fixed")] if has_equal_weights(mixture) else []),
        *(_clusters(mixture) if classes is None else []),
        *_coordinates(mixture),
        *_history(mixture),
        *_criteria(mixture),
        *_data(getattr(mixture, "fitted_on_", None) or {}, mixture.missing),
        *_held(mixture),
        *_checksum(mixture),
        ("settings", ", ".join(f"{key}={getattr(mixture, key)}" for key in SETTINGS)),
    ]
    kind = "Bayesian Gaussian mixture" if bayesian else "Gaussian mixture"
    kind = kind if classes is None else "Gaussian mixture classifier"
    return f"{name}: {kind}\n{listed(facts)}\n\n{_table(mixture, classes)}"


def _components(mixture: MixtureEstimator) -> str:
    k = len(mixture.weights_)
    if not isinstance(mixture, BayesianGaussianMixture):
        return str(k)
    return f"{k}, of which {mixture.n_used_components_} hold more than one row"


def _clusters(mixture: MixtureEstimator) -> list[tuple[str, str]]:
    """Describe which components were merged to a cluster."""
    clusters = clusters_of(mixture)
    if clusters is None:
        return []
    groups = [np.flatnonzero(clusters == number) for number in range(1 + int(clusters.max()))]
    return [("clusters", "; ".join(", ".join(map(str, group)) for group in groups))]


def _history(mixture: MixtureEstimator) -> list[tuple[str, str]]:
    """Describe how the mixture was fitted, or adapted."""
    adapted = getattr(mixture, "adapted_", None)
    if adapted is None:
        ended = "converged" if mixture.converged_ else "NOT converged"
        reached = [(what, f"{value:.5f} nats per row") for what, value in likelihoods_of(mixture)]
        single = precisions_of(mixture)
        in_single = [] if single is None else [("precision", single)]
        compared = left_out_in_words(mixture)
        in_single += [] if compared is None else [("candidates", compared)]
        return [("iterations", f"{mixture.n_iter_}, {ended}"), *in_single, *reached]
    background = adapted["background"]
    origin = [background["model"]] if "model" in background else []
    origin += [f"fitted to {facts}" for _, facts in _data(background)]
    text = ", ".join([relevances_in_words(adapted["relevance"]), *(f for _, f in _data(adapted))])
    return [("adapted", text), *([("adapted from", ", ".join(origin))] if origin else [])]


def relevances_in_words(relevance: Mapping[str, float]) -> str:
    """Return parameters and their relevance, which is said once if all have the same."""
    if len(set(relevance.values())) == 1:
        return f"{', '.join(relevance)}, relevance {next(iter(relevance.values())):g}"
    return "; ".join(f"{name}, relevance {rows:g}" for name, rows in relevance.items())


HELD = "MODEL, which is JSON, holds"


def _features(mixture: MixtureEstimator) -> str:
    names = list(map(str, getattr(mixture, "feature_names_in_", ())))
    more = f", and {len(names) - LISTED_FEATURES} more" if len(names) > LISTED_FEATURES else ""
    listing = f": {', '.join(map(quoted, names[:LISTED_FEATURES]))}{more}" if names else ""
    return f"{mixture.n_features_in_}{listing}"


def _prior(mixture: MixtureEstimator) -> list[tuple[str, str]]:
    name = mixture._settings().prior_name
    if name is None:
        return []
    concentration = getattr(mixture, "weight_concentration_prior_", None)
    of = "" if concentration is None else f" of concentration {concentration:.4g}"
    return [("prior", f"{name}{of}")]


def _outliers(mixture: MixtureEstimator) -> list[tuple[str, str]]:
    way = fitted_outliers(mixture)
    if way == NOISE:
        share, volume = mixture.noise_weight_, mixture.noise_log_volume_
        return [("noise", f"{share:.2%} of the rows, uniform over a log volume of {volume:.4g}")]
    if way == CONTAMINATED:
        share = 1.0 - float(mixture.weights_ @ mixture.clean_shares_)
        largest = float(np.max(mixture.inflations_))
        return [("tails", f"contaminated: {share:.2%} of the rows, inflated up to {largest:.4g}")]
    if way == STUDENT:
        degrees = mixture.tail_degrees_
        low, high = float(degrees.min()), float(degrees.max())
        return [("tails", f"Student-t, {low:.4g} to {high:.4g} degrees of freedom")]
    return []


def _coordinates(mixture: MixtureEstimator) -> list[tuple[str, str]]:
    coordinates = getattr(mixture, "coordinates_", None)
    if coordinates is None:
        return []
    words = ["columns standardised"] if (coordinates.scales != 1).any() else ["columns centred"]
    if coordinates.axes is not None:
        words.append(f"{coordinates.n_features} principal axes")
    if coordinates.explained is not None:
        words.append(f"{coordinates.explained.sum():.1%} of the variance")
    return [("coordinates", ", ".join(words))]


def _criteria(mixture: MixtureEstimator) -> list[tuple[str, str]]:
    # Without the warning about the meaning of weights, which is shown here.
    criteria = mixture._known_criteria()
    if not criteria:
        return []
    values = [
        f"{name.upper()} {value:.8g}"
        for name in ("aic", "bic", "icl")
        if math.isfinite(value := float(criteria.get(name, math.nan)))
    ]
    n = float(criteria.get("n", math.nan))
    rows = [n_in_words(n, getattr(mixture, "fitted_on_", None) or {})] if math.isfinite(n) else []
    text = ", ".join([*values, counted(int(criteria["n_parameters"]), "free parameter"), *rows])
    return [("criteria", f"{text} ({criteria['measured']})" if values else text)]


def left_out(data: Mapping[str, Any], missing: str) -> str:
    """Say how many rows a fit left out, and why, by its setting `missing`."""
    why = "without any value" if missing == MARGINALISE else "that miss a value"
    return f"{counted(data['missing'], 'row')} {why} left out"


def _data(data: Mapping[str, Any], missing: str = "") -> list[tuple[str, str]]:
    """Describe the data of the fit, as far as they are known."""
    facts = []
    if data.get("rows") is not None:
        facts.append(counted(data["rows"], "row"))
    if data.get("missing"):
        facts.append(left_out(data, missing))
    if data.get("weight") is not None and data["weight"] != data.get("rows"):
        facts.append(f"weight {data['weight']:,.8g}")
    facts += [str(data[name]) for name in ("dtype", "source") if data.get(name) is not None]
    if data.get("sha256") is not None:
        facts.append(f"sha256 {str(data['sha256'])[:SHOWN_DIGITS]}")
    return [("data", ", ".join(facts))] if facts else []


def _held(mixture: MixtureEstimator) -> list[tuple[str, str]]:
    """Describe the rows that the parameters hold, where steps and updates made them."""
    seen = getattr(mixture, "n_seen_", None)
    return [] if seen is None else [("holds", f"rows of the weight {seen:,.10g}")]


def _checksum(mixture: MixtureEstimator) -> list[tuple[str, str]]:
    """Return the checksum of the file, by which predictions name it too."""
    digest = None if mixture._read_from is None else mixture._read_from.sha256
    return [] if digest is None else [("checksum", f"sha256 {digest[:SHOWN_DIGITS]}")]


def _columns(mixture: MixtureEstimator, d: int) -> list[str]:
    names = getattr(mixture, "feature_names_in_", [f"mean {i}" for i in range(d)])
    units = getattr(mixture, "feature_units_", None) or [None] * d
    return [
        f"{name} [{unit}]" if unit else str(name) for name, unit in zip(names, units, strict=True)
    ]


def _table(mixture: MixtureEstimator, classes: Sequence[str] | None) -> str:
    """Return weights and means in the units of the data, heaviest component first."""
    coordinates = getattr(mixture, "coordinates_", None)
    means = mixture.means_ if coordinates is None else coordinates.undo(mixture.means_)
    k, d = means.shape
    if k > LISTED_COMPONENTS:
        return f"  {k} components are too many to list; {remedy('load_model reads', HELD)} them."
    names = _columns(mixture, d) if d <= LISTED_FEATURES else []
    own = None if classes is None else ["class", *classes]
    header = ["component", *(own or ())[:1], "weight", *names]
    order = np.argsort(-mixture.weights_, kind="stable")
    body = [
        [str(i), *(own or ())[1 + i : 2 + i], f"{mixture.weights_[i]:.4f}"]
        + [f"{x:.5g}" for x in means[i][: len(names)]]
        for i in order
    ]
    return aligned([["", *line] for line in (header, *body)])


MOST_CLASSES = 64
"""Largest number of classes that are listed."""


def describe_classifier(classifier: GaussianMixtureClassifier, name: str) -> str:
    """Describe a fitted classifier: its classes, and the mixture of their components."""
    names = [str(label) for label in classifier.classes_.tolist()]
    own = [names[number] for number in classifier.mixture_.clusters_]
    card = describe_model(classifier.mixture_, name, classes=own)
    return f"{card}\n\n{class_table(classifier)}"


def class_table(classifier: GaussianMixtureClassifier) -> str:
    """Return a line for each class: its components, labelled rows and prior probability."""
    names = classifier.classes_.tolist()
    if len(names) > MOST_CLASSES:
        return f"  {len(names)} classes are too many to list."
    components = np.bincount(classifier.mixture_.clusters_, minlength=len(names))
    priors = np.asarray(classifier.class_prior_, np.float64)
    lines = [
        ("", str(name), str(k), f"{count:,}", f"{prior:.4f}")
        for name, k, count, prior in zip(
            names, components, classifier.class_count_, priors / priors.sum(), strict=True
        )
    ]
    return aligned([("", "class", "components", "labelled rows", "prior"), *lines], left=(0, 1))
