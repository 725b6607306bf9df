"""Lists of names of columns as one text, which may have commas in them."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterable

SPECIAL = frozenset(" \t\"'()&;|<>$`\\*?[]#~!{}")
"""Characters that a shell takes for its own; letters of any alphabet are not among them."""


def names_text(names: Iterable[str]) -> str:
    """Return names with commas between them, in quotes where they have commas or quotes."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()


def quoted(name: str) -> str:
    """Return a name as it stands among others in a text."""
    return names_text([name])


def typed(text: str) -> str:
    """Return a value of an option as it is typed in a shell."""
    return shlex.quote(text) if set(text) & SPECIAL else text


def names_of_text(text: str) -> tuple[str, ...]:
    """Return the names in a text that `names_text` wrote; spaces beside commas are dropped."""
    if '"' not in text:
        return tuple(name.strip() for name in text.split(","))
    (names,) = csv.reader([text], skipinitialspace=True)
    return tuple(name.strip() for name in names)
