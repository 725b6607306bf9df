"""A fitted classifier on one screen."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskgmm.counting import counted
from daskgmm.markup.card import card, facts, more, notice, table, with_bar
from daskgmm.models.cards.components import Column, components_table
from daskgmm.models.cards.mixture_card import data_facts, history_facts, warnings_of

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
