"""Lengths of chunks and shards, as the command line gives them."""

from __future__ import annotations

import click


def check_cut(
    context: click.Context, option: click.Parameter, value: str | None
) -> int | dict[str, int] | None:
    """Return what texts such as 100000 or y=512,x=512 mean; None if the option was not given."""
    if value is None:
        return None
    if value.isdecimal() and int(value) > 0:
        return int(value)
    found: dict[str, int] = {}
    for part in value.split(","):
        dim, _, length = (each.strip() for each in part.rpartition("="))
        if not dim or dim in found or not length.isdecimal() or int(length) < 1:
            raise click.BadParameter(
                f"{value} is no cut; give a number of rows, or lengths such as y=512,x=512."
            )
        found[dim] = int(length)
    return found
