"""Clusters that run already: where their scheduler is, and a client of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click


@contextmanager
def connected(scheduler: str) -> Iterator[Any]:
    """Yield a client of the scheduler at an address."""
    from distributed import Client

    try:
        # Not the default one: a client that never connected would stay behind as that.
        client = Client(scheduler, set_as_default=False)
    except (OSError, ValueError) as error:
        raise click.ClickException(
            f"No Dask scheduler answers at {scheduler}: {error}. Start one with "
            "`dask scheduler`, or leave out --scheduler to use threads."
        ) from error
    with client:
        yield client


def address_in(path: str) -> str:
    """Return the address in a scheduler's file, which is waited for as its answer would be."""
    import dask
    from dask.utils import parse_timedelta

    patience = parse_timedelta(dask.config.get("distributed.comm.timeouts.connect", "30s"))
    end = time.monotonic() + patience
    while True:
        try:
            return str(json.loads(Path(path).read_text())["address"])
        except FileNotFoundError:
            fault = "is not there"
        except (OSError, ValueError, KeyError, TypeError) as error:
            # A scheduler that starts now may still write it.
            fault = f"is no scheduler's file: {error!r}"
        if time.monotonic() > end:
            raise click.ClickException(
                f"--scheduler-file {path} {fault}, and has not been for {patience:.0f} s. Start "
                f"`dask scheduler --scheduler-file {path}` where this machine sees the file."
            )
        time.sleep(0.1)
