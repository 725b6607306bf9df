"""Names that were misspelt."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

ALIKE = 0.8
"""Ratio of characters that agree from which on a name is taken before those that have it as a word;
with 0.6, difflib's own, others are taken after these."""

MANY = 10_000
"""Names beyond which none is looked for: a name is held against each of them."""


def nearest(name: object, known: Iterable[object]) -> str | None:
    """Return the known name that is spelt most alike, in whatever case; None if none is near."""
    by_spelling = {str(each).lower(): str(each) for each in known}
    if len(by_spelling) > MANY:
        return None
    own = str(name).lower()
    having = [each for each in by_spelling if own in re.split(r"[\W_]+", each)]
    near = difflib.get_close_matches(own, by_spelling, n=1, cutoff=ALIKE)
    # A word of one name alone is that name: "id" is "star_id", not "kind".
    near = near or (having if len(having) == 1 else difflib.get_close_matches(own, by_spelling, 1))
    return by_spelling[near[0]] if near else None


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """Return a sentence that names the nearest known name, after a space; "" if none is near."""
    near = nearest(name, known)
    return "" if near is None else f" Did you mean {near!r}?"
