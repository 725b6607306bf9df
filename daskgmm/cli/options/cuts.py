"""Lengths of chunks and shards, as the command line gives them."""

from __future__ import annotations

import click


def cut_in(value: str) -> int | dict[str, int]:
    """Return the length in a text such as 100000, or the lengths by dimension in y=512,x=512."""
    if value.isdecimal() and int(value) > 0:
        return int(value)
    lengths: dict[str, int] = {}
    for part in value.split(","):
        dim, _, length = (text.strip() for text in part.rpartition("="))
        if not dim or dim in lengths or not length.isdecimal() or int(length) < 1:
            raise click.BadParameter(
                f"{value} is no cut; give a number of rows, or lengths such as y=512,x=512."
            )
        lengths[dim] = int(length)
    return lengths
