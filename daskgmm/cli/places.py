"""Places that a command writes to: each of its own, and none that it reads from."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from itertools import combinations

import click

from daskgmm.cli.command import CONFIG_PLACE
from daskgmm.storage.local import same_text
from daskgmm.storage.masking import shown

Places = Mapping[str, str | None]
"""Paths or URLs by the name of the option or argument that gives them; None where it is not."""


def check_apart(reads: Places, writes: Places) -> None:
    """Raise `click.UsageError` if an output is an input, by any name, or another output."""
    reads = {**reads, "--config": click.get_current_context().meta.get(CONFIG_PLACE)}
    inputs, outputs = (
        {name: same_text(path) for name, path in places.items() if path is not None}
        for places in (reads, writes)
    )
    for option, output in outputs.items():
        for name, place in inputs.items():
            if output == place or fnmatchcase(output, place):
                raise click.UsageError(
                    f"{option} {shown(str(writes[option]))} is {name}, which the command reads. "
                    "Choose another place."
                )
    for (option, place), (other, same) in combinations(outputs.items(), 2):
        if place == same:
            raise click.UsageError(f"{option} and {other} name the same file.")


def check_no_log_in(log: str | None, data: str) -> None:
    """Raise `click.UsageError` if events would be appended to a file of a folder of data."""
    if log is not None and same_text(log).startswith(f"{same_text(data).rstrip('/')}/"):
        raise click.UsageError(
            f"--log-json {shown(log)} is in DATA, which the command reads. Choose another place."
        )
