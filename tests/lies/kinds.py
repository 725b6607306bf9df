"""The kinds of files, and how many mutations of each are read."""

import warnings

from tests.lies import documents, journals, stores

MAKERS = {**documents.KINDS, **stores.KINDS, **journals.KINDS}

WORK = {"model": 20, "classifier": 20, "moments": 20}
"""Mutations of a kind, by the word it begins with, for one of a kind that takes longer."""


def share_of(name):
    """Return how many mutations of a kind are read for one of a slow kind."""
    return WORK.get(name.partition(":")[0], 4)


def made(name):
    """Return one kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MAKERS[name]()
