"""Errors in the words of the classifier: its mixtures speak of labels, and of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

WORDS = (
    (re.compile(r"\blabels have\b"), "y has"),
    (re.compile(r"\blabels(?=\.shape| (?:is|has|contains|differs?)\b|, dims| and X\b)"), "y"),
    (re.compile(r"\b(required by|but) GaussianMixture\b"), r"\1 GaussianMixtureClassifier"),
)
"""What mixtures call it, and what users of the classifier do."""


@contextmanager
def in_words_of_the_classifier() -> Iterator[None]:
    """Name y, and the classifier, in errors of its mixtures."""
    try:
        yield
    except ValueError as error:
        said = text = str(error)
        for theirs, ours in WORDS:
            text = theirs.sub(ours, text)
        if text == said:
            raise
        raise type(error)(text) from error
