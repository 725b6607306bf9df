"""Description of a classifier in words, for `daskgmm info` and the end of a fit."""

from __future__ import annotations

import numpy as np

from daskgmm.models.classifying.classifier import GaussianMixtureClassifier
from daskgmm.report.data import aligned
from daskgmm.report.model import describe_model

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
