"""Threads, or the Dask cluster, that passes run on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from daskgmm.cli.clusters.schedulers import address_in, connected
from daskgmm.cli.clusters.starting import KINDS, started
from daskgmm.cli.options.common import Command, added, taken
from daskgmm.cli.options.completing import PLACE

THREADS = click.option(
    "--threads", type=click.IntRange(1), help="Number of threads.  [default: all CPUs]"
)
SCHEDULER = click.option(
    "--scheduler", metavar="ADDRESS", help="Run on this Dask cluster, for example tcp://host:8786."
)
SCHEDULER_FILE = click.option(
    "--scheduler-file",
    metavar="FILE",
    type=PLACE,
    help="Run on the cluster that `dask scheduler --scheduler-file FILE` started.",
)
CLUSTER = click.option(
    "--cluster",
    type=click.Choice(tuple(KINDS)),
    help="Start a cluster with --cluster-options, and shut it down at the end.",
)
CLUSTER_OPTIONS = click.option(
    "--cluster-options",
    metavar="FILE",
    type=PLACE,
    help=(
        "YAML file with keywords of dask_jobqueue.SLURMCluster or "
        "dask_kubernetes.operator.KubeCluster, and optionally adapt: {minimum: 2, maximum: 8}. "
        "Examples are in deploy/ in the repository."
    ),
)
RETRIES = click.option(
    "--retries",
    type=click.IntRange(0),
    help="Number of times a failed read is repeated.  [default: 3]",
)
STALL_TIMEOUT = click.option(
    "--stall-timeout",
    metavar="TIME",
    help=(
        "Give up after the cluster has had no worker for this long.  [default: 5 minutes; no "
        "limit until the first worker of --cluster arrives]"
    ),
)


@dataclass(frozen=True, slots=True)
class Workers:
    """Options of the place where passes run; None is the default.

    `retries` are those of a read, `stall_timeout` is a time as dask writes it.
    """

    threads: int | None = None
    scheduler: str | None = None
    scheduler_file: str | None = None
    cluster: str | None = None
    cluster_options: str | None = None
    retries: int | None = None
    stall_timeout: str | None = None

    def __post_init__(self) -> None:
        """Refuse two places, and half a place."""
        places = (self.scheduler, self.scheduler_file, self.cluster)
        if sum(place is not None for place in places) > 1:
            raise click.UsageError("Give one of --scheduler, --scheduler-file and --cluster.")
        if (self.cluster is None) != (self.cluster_options is None):
            raise click.UsageError(
                "--cluster and --cluster-options go together; deploy/slurm/slurm.yaml and "
                "deploy/kubernetes/kubecluster.yaml of the repository are such files."
            )

    @property
    def places(self) -> dict[str, str | None]:
        """Files that are read, by the option that gives them."""
        return {"--scheduler-file": self.scheduler_file, "--cluster-options": self.cluster_options}

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make passes run there."""
        import dask

        with ExitStack() as stack:
            stack.enter_context(dask.config.set(self._settings()))
            self._check()
            client = self._client()
            if client is not None:
                stack.enter_context(stack.enter_context(client).as_current())
            yield

    def _client(self) -> AbstractContextManager[Any] | None:
        from dask.utils import parse_timedelta

        if self.cluster is not None and self.cluster_options is not None:
            given = self.stall_timeout
            patience = None if given is None else parse_timedelta(given)
            return started(self.cluster, self.cluster_options, patience)
        if self.scheduler_file is not None:
            given = f"--scheduler-file {self.scheduler_file}"
            return connected(address_in(self.scheduler_file), given)
        return None if self.scheduler is None else connected(self.scheduler, "--scheduler")

    def _settings(self) -> dict[str, Any]:
        chosen = {
            "num_workers": self.threads,
            "daskgmm.retries": self.retries,
            "daskgmm.stall-timeout": self.stall_timeout,
        }
        return {name: value for name, value in chosen.items() if value is not None}

    def _check(self) -> None:
        from daskgmm.passes.configuration import Configuration

        try:
            Configuration.current()
        except (KeyError, ValueError) as error:
            raise click.UsageError(
                f"--stall-timeout {self.stall_timeout} is not a time; give one such as 90s or 10m."
            ) from error


def running(command: Command) -> Command:
    """Add the options that say where passes run; the command gets them as `workers`."""

    @wraps(command)
    def gathered(**given: Any) -> Any:
        workers, others = taken(Workers, given)
        return command(workers=workers, **others)

    return added(
        gathered,
        THREADS,
        SCHEDULER,
        SCHEDULER_FILE,
        CLUSTER,
        CLUSTER_OPTIONS,
        RETRIES,
        STALL_TIMEOUT,
    )
