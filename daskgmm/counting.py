"""Numbers with their nouns."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "s") -> str:
    """Return a number and its noun: 1 batch, 2 batches."""
    return f"{number:,} {noun}{'' if number == 1 else plural}"
