"""Where passes run: threads, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from daskgmm.cli.connecting import check_certificates, no_connection
from daskgmm.cli.options import Command, added

THREADS = click.option(
    "--threads", type=click.IntRange(1), help="Threads to use.  [default: all CPUs]"
)
SCHEDULER = click.option("--scheduler", metavar="ADDRESS", help="Run on this Dask cluster.")
RETRIES = click.option(
    "--retries",
    type=click.IntRange(0),
    help="Times that a read that fails is tried again.  [default: 3]",
)
STALL_TIMEOUT = click.option(
    "--stall-timeout",
    metavar="TIME",
    help="Give up a cluster that has had no worker for so long.  [default: 5 minutes]",
)


@dataclass(frozen=True, slots=True)
class Workers:
    """What the command line says about where passes run; None is the default.

    Attributes
    ----------
    threads : int or None
    scheduler : str or None
        Address of a Dask scheduler.
    retries : int or None
        Of reads.
    stall_timeout : str or None
        A time, as dask writes it.
    """

    threads: int | None = None
    scheduler: str | None = None
    retries: int | None = None
    stall_timeout: str | None = None

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make passes run there."""
        import dask

        with ExitStack() as stack:
            stack.enter_context(dask.config.set(self._settings()))
            self._check()
            if self.scheduler is not None:
                stack.enter_context(_client(stack, self.scheduler).as_current())
            yield

    def _settings(self) -> dict[str, Any]:
        chosen = {
            "num_workers": self.threads,
            "daskgmm.retries": self.retries,
            "daskgmm.stall-timeout": self.stall_timeout,
        }
        return {name: value for name, value in chosen.items() if value is not None}

    def _check(self) -> None:
        from daskgmm.passes.running import Running

        try:
            Running.configured()
        except (KeyError, ValueError) as error:
            raise click.UsageError(
                f"--stall-timeout {self.stall_timeout} is no time; give one such as 90s or 10min."
            ) from error


def running(command: Command) -> Command:
    """Add the options that say where passes run; the command gets them as `workers`."""

    @wraps(command)
    def gathered(
        *,
        threads: int | None,
        scheduler: str | None,
        retries: int | None,
        stall_timeout: str | None,
        **others: Any,
    ) -> Any:
        return command(workers=Workers(threads, scheduler, retries, stall_timeout), **others)

    return added(gathered, THREADS, SCHEDULER, RETRIES, STALL_TIMEOUT)


def _client(stack: ExitStack, scheduler: str) -> Any:
    """Return a client of a cluster that lives as long as the stack."""
    from distributed import Client

    try:
        check_certificates(scheduler)
        # Not the default one: a client that never connected would stay behind as that.
        return stack.enter_context(Client(scheduler, set_as_default=False))
    except (OSError, ValueError) as error:
        raise click.ClickException(no_connection(scheduler, error)) from error
