"""Fitted mixtures and classifiers, each on one screen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from daskgmm.counting import counted
from daskgmm.markup.card import card, facts, more, notice, table, with_bar
from daskgmm.models.cards.components import Column, components_table
from daskgmm.models.facts.clusters import clusters_of
from daskgmm.models.facts.criteria import likelihoods_of, n_in_words
from daskgmm.models.settings.outliers import fitted_outliers
from daskgmm.models.settings.precision import precisions_of
from daskgmm.models.settings.truncation import left_out_in_words

NOT_CONVERGED = (
    "Not converged: the parameters may still change. Raise max_iter, or tol if this is as near as "
    "you need."
)


def mixture_card(mixture: Any) -> str:
    """Return a fitted mixture as HTML."""
    k = counted(len(mixture.weights_), "component")
    clusters = clusters_of(mixture)
    beside = None if clusters is None else Column("cluster", list(map(str, clusters)))
    return card(
        f"{type(mixture).__name__}: {k}, {mixture._structure_name} covariance",
        facts(mixture_facts(mixture)),
        *map(notice, warnings_of(mixture)),
        components_table(mixture, beside),
    )


def mixture_facts(mixture: Any) -> list[tuple[str, str]]:
    """Return names and values of what is known of a fitted mixture."""
    return [
        ("settings", repr(mixture)),
        *data_facts(mixture),
        *_outliers(mixture),
        *history_facts(mixture),
        *_criteria(mixture),
    ]


def data_facts(mixture: Any) -> Iterator[tuple[str, str]]:
    """Yield the rows of the fit, as far as they are known."""
    data = getattr(mixture, "fitted_on_", None) or {}
    features = counted(int(mixture.n_features_in_), "feature")
    if data.get("rows") is None:
        yield "data", features
        return
    text = f"{counted(data['rows'], 'row')}, {features}"
    if data.get("source"):
        text += f", from {data['source']}"
    if data.get("missing"):
        text += f"; {data['missing']:,} more left out, as they miss a value"
    yield "data", text


def history_facts(mixture: Any) -> Iterator[tuple[str, str]]:
    """Yield how the fit ended."""
    adapted, passes = getattr(mixture, "adapted_", None), getattr(mixture, "n_iter_", None)
    if adapted is not None:
        yield "fit", "adapted from another mixture"
    elif passes:
        ended = "converged" if mixture.converged_ else "NOT converged"
        yield "fit", f"{ended} after {counted(int(passes), 'iteration')}"
        single = precisions_of(mixture)
        if single is not None:
            yield "precision", single
        compared = left_out_in_words(mixture)
        if compared is not None:
            yield "candidates", compared


def _outliers(mixture: Any) -> Iterator[tuple[str, str]]:
    way = fitted_outliers(mixture)
    if way is not None:
        yield "outliers", f"allowed for by {way}"


def _criteria(mixture: Any) -> Iterator[tuple[str, str]]:
    # Without the warning about the meaning of weights, which `fit` has given.
    criteria = mixture._known_criteria()
    for what, value in likelihoods_of(mixture):
        if math.isfinite(value):
            yield what, f"{value:.6g} nats per row"
    bic = float(criteria.get("bic", math.nan))
    if math.isfinite(bic):
        facts = getattr(mixture, "fitted_on_", None) or {}
        n = n_in_words(float(criteria["n"]), facts)
        free = counted(int(criteria["n_parameters"]), "free parameter")
        yield "BIC", f"{bic:,.1f} ({free}, {n})"


def warnings_of(mixture: Any) -> list[str]:
    """Return what the user should know, in sentences."""
    fitted = bool(getattr(mixture, "n_iter_", 0)) and not hasattr(mixture, "adapted_")
    late = [NOT_CONVERGED] if fitted and not mixture.converged_ else []
    return [*late, *mixture._degenerate]


FIRST_CLASSES = 20
"""Classes that are shown at once."""


def classifier_card(classifier: Any) -> str:
    """Return a fitted classifier as HTML."""
    mixture, classes = classifier.mixture_, list(map(str, classifier.classes_))
    of_components = np.asarray(mixture.clusters_)
    k = counted(len(mixture.weights_), "component")
    name = f"{type(classifier).__name__}: {counted(len(classes), 'class', 'es')}, {k}"
    own = facts([("settings", repr(classifier)), *data_facts(mixture), *history_facts(mixture)])
    column = Column("class", [classes[place] for place in of_components])
    rows = [
        [
            name,
            with_bar(f"{prior:.4f}", float(prior)),
            f"{int(rows):,}",
            str(int((of_components == place).sum())),
        ]
        for place, (name, prior, rows) in enumerate(
            zip(classes, classifier.class_prior_, classifier.class_count_, strict=True)
        )
    ]
    header = ["class", "prior", "labelled rows", "components"]
    parts = [table("Classes", header, rows[:FIRST_CLASSES], left=(0,))]
    if len(rows) > FIRST_CLASSES:
        rest = rows[FIRST_CLASSES:]
        parts.append(more(f"{len(rest)} more classes", table("Classes", header, rest, left=(0,))))
    inside = components_table(mixture, column)
    return card(name, own, *map(notice, warnings_of(mixture)), *parts, inside)
