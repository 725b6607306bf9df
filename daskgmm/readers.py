"""Who reads a message: the author of a program in Python, or who types commands.

What is to be done is often a call for the one and an option for the other, and either would look in
vain for what the other is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_TYPED: list[bool] = [False]
"""Whether messages are read by who types commands: one state of a process, threads and all."""


def remedy(call: str, typed: str) -> str:
    """Return the text for who reads it: `call` in Python, `typed` on the command line."""
    return typed if _TYPED[-1] else call


@contextmanager
def of_commands() -> Iterator[None]:
    """Have messages that are made in here tell what can be typed."""
    _TYPED.append(True)
    try:
        yield
    finally:
        _TYPED.pop()
