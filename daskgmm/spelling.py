"""Names that were misspelt."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MANY = 10_000
"""Names beyond which none is looked for: a name is held against each of them."""


def nearest(name: object, known: Iterable[object]) -> str | None:
    """Return the known name that is spelt most alike, in whatever case; None if none is near."""
    by_spelling = {str(each).lower(): str(each) for each in known}
    if len(by_spelling) > MANY:
        return None
    near = difflib.get_close_matches(str(name).lower(), by_spelling, n=1)
    return by_spelling[near[0]] if near else None


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """Return a sentence that names the nearest known name, after a space; "" if none is near."""
    near = nearest(name, known)
    return "" if near is None else f" Did you mean {near!r}?"
