"""Modules of the user's own that a command imports before it looks at its options."""

from __future__ import annotations

import importlib
import os
import sys

import click

from daskgmm.cli.interrupting import at_once


def import_modules(
    context: click.Context, option: click.Parameter, modules: tuple[str, ...]
) -> None:
    """Import modules that are installed, on PYTHONPATH or in the current directory."""
    if modules and not {"", os.getcwd()} & set(sys.path):  # noqa: PTH109 - sys.path holds texts
        sys.path.append(os.getcwd())  # noqa: PTH109
    for name in (part.strip() for given in modules for part in given.split(",")):
        try:
            with at_once():
                importlib.import_module(name)
        except Exception as error:  # of whatever kind the module raises
            raise click.BadParameter(
                f"the module {name!r} cannot be imported: {type(error).__name__}: {error}. Give "
                "the name, as in Python's import, of a module that is installed, on PYTHONPATH or "
                "in the current directory."
            ) from error


IMPORT = click.option(
    "--import", metavar="MODULE", multiple=True, is_eager=True, expose_value=False,
    callback=import_modules,
    help=(
        "Import this module first, for example one that adds to daskgmm.gaussian.STRUCTURES; can "
        "be repeated. The workers of a cluster need the module too."
    ),
)  # fmt: skip
