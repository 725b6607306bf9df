"""Errors about named columns, in the words of the argument that names them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from daskgmm.companions import ARGUMENTS, GROUPS, LABELS, WEIGHTS, Companions
from daskgmm.errors import DataError
from daskgmm.readers import remedy
from daskgmm.rows.checks.naming import NotNumbersError
from daskgmm.rows.companions.noise import column_names
from daskgmm.rows.tables.text_columns import TEXT, word_of

NOISE = ARGUMENTS["noise"]

ADVICE = {
    WEIGHTS: "weights are numbers. Name a column of numbers",
    LABELS: "a label is a whole number or, of a classifier, a text. Name a column of such labels",
    NOISE: "variances are numbers. Name columns of numbers",
    GROUPS: "groups are whole numbers or texts. Name a column of such groups",
}
"""What the columns that an argument names hold, and what to do."""


@contextmanager
def named_by(given: Companions[Any]) -> Iterator[None]:
    """Say of a column that holds no numbers which argument names it, if one does.

    Features are left out by other means than what goes beside them.

    Raises
    ------
    DataError
        For a column that holds no numbers: `NotNumbersError` where it is a feature.
    """
    try:
        yield
    except NotNumbersError as error:
        # Of an error in other words the first one knows the columns.
        kinds = error.kinds or getattr(error.__cause__, "kinds", {})
        for argument, part in given.named():
            names = (part,) if isinstance(part, str) else column_names(part) or ()
            for name in names:
                if name in kinds:
                    raise not_numbers(argument, name, kinds[name]) from error
        raise


def not_numbers(argument: str, name: str, kind: str) -> DataError:
    """Return the error for a column of a type of this name, which an argument names."""
    word = word_of(kind)
    holds = word if word == kind else f"{word} ({kind})"
    what = ADVICE[argument]
    if (argument, word) == (LABELS, TEXT):  # a classifier has read its texts as such
        classifier = remedy("GaussianMixtureClassifier", "classifier (--classifier)")
        what = f"components have numbers. Fit a {classifier}, whose classes have names"
    return DataError(f"{argument} is the column {name!r}, which holds {holds}, and {what}.")
