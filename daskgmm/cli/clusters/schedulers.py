"""Clusters that run already: where their scheduler is, and a client of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from daskgmm.cli.clusters.connecting import check_address, check_certificates, no_connection


@contextmanager
def connected(scheduler: str, given: str) -> Iterator[Any]:
    """Yield a client of the scheduler at an address, which an option gave."""
    from distributed import Client

    check_address(scheduler, given)
    try:
        check_certificates(scheduler)
        # Not the default one: a client that never connected would stay behind as that.
        client = Client(scheduler, set_as_default=False)
    except (OSError, ValueError) as error:
        raise click.ClickException(no_connection(scheduler, given, error)) from error
    with closed_at_the_end(client):
        yield client


@contextmanager
def closed_at_the_end(client: Any) -> Iterator[Any]:
    """Yield a client and close it; what was computed is not lost if that takes too long."""
    try:
        yield client
    finally:
        # On a busy machine the thread of its loop may not end within distributed's 10 s.
        with suppress(TimeoutError):
            client.close()


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
            fault = f"is not a scheduler's file: {error!r}"
        if time.monotonic() > end:
            raise click.ClickException(
                f"--scheduler-file {path} {fault}, and has not been for {patience:.0f} s. Start "
                f"`dask scheduler --scheduler-file {path}` where this machine sees the file."
            )
        time.sleep(0.1)
