"""Errors and warnings, as the user of a command reads them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import click

from daskgmm.cli.parameters import with_options
from daskgmm.cli.reporting import fitted_to
from daskgmm.errors import DaskGMMError
from daskgmm.storage.local import shortage

STORE_LIBRARIES = (
    "aiobotocore", "aiohttp", "azure", "botocore", "fsspec", "gcsfs", "google", "obstore", "s3fs",
)  # fmt: skip
"""What opens stores: errors of their own kinds tell of a store, and are no bug here."""


def advice(error: Exception) -> str:
    """Return what to tell the user about an error."""
    if isinstance(error, MemoryError):
        return "Memory ran out. Use fewer --threads, or data with smaller chunks."
    if not isinstance(error, DaskGMMError) and (short := shortage(error)):
        # Of standard output there is no name.
        again = f"{short.remedy.capitalize()}, and run the command again."
        return f"{short.what.capitalize()}: {error}. {again}"
    if isinstance(error, (DaskGMMError, ValueError, OSError)):
        return str(error) or type(error).__name__
    if type(error).__module__.partition(".")[0] in STORE_LIBRARIES:
        return (
            f"{type(error).__name__}: {str(error).rstrip('. ')}. A store could not be reached, or "
            "refused. Check the address, its options and the connection, and run the command again."
        )
    return (
        f"{type(error).__name__}: {error}\nThis is a bug in daskgmm. Please report it, with the "
        "command and what it shows when the variable DASKGMM_TRACEBACK=1 is set."
    )


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show Python's warnings as lines, each once: libraries repeat theirs with every call."""
    shown: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        context = click.get_current_context(silent=True)
        text = str(message)
        if context is not None:
            commands = getattr(context.find_root().command, "commands", {})
            text = with_options(text, context.command, commands.get("fit"))
        if text not in shown:
            shown.add(text)
            # As it is now: a running bar writes lines above itself there, which err=True passes by.
            click.echo(fitted_to(f"Warning: {text}", sys.stderr.isatty()), file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        # The commands say it themselves, with what to do on the command line.
        warnings.filterwarnings("ignore", "Best performing initialization did not converge")
        warnings.filterwarnings("ignore", r"The best model by \w+ did not converge")
        warnings.showwarning = show
        yield
