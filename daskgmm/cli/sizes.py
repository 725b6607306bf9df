"""Numbers of components, as a sweep is asked for them."""

from __future__ import annotations

import click

MOST_SIZES = 1000
"""Numbers of components that one command may ask for: more is a slip of the keyboard."""


def check_sizes(context: click.Context, option: click.Parameter, value: str) -> list[int]:
    """Return the numbers that a text such as 2-20 or 2,4,8 names."""
    found: set[int] = set()
    for part in value.split(","):
        first, dash, last = part.partition("-")
        ends = (first, last if dash else first)
        if not all(end.strip().isdecimal() for end in ends):
            raise click.BadParameter(f"{value} is no range; give one such as 2-20, 2,4,8 or 5.")
        low, high = map(int, ends)
        if not 1 <= low <= high:
            raise click.BadParameter(f"{part} is no range: give the smaller number first, from 1.")
        if high - low + len(found) >= MOST_SIZES:
            raise click.BadParameter(f"{value} asks for more than {MOST_SIZES:,} sizes.")
        found.update(range(low, high + 1))
    return sorted(found)
