"""Clusters that a command starts, and ends when it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import count
from math import inf
from pathlib import Path
from typing import Any

import click

from daskgmm.cli.clusters.schedulers import closed_at_the_end
from daskgmm.cli.interrupting import at_once

Options = dict[str, Any]

WHERE_TO_LOOK = {
    "slurm": "squeue --me shows whether jobs wait; the .err files of log_directory say why they "
    "ended, if they did: such jobs are not replaced",
    "kubernetes": "kubectl get pods shows whether they wait, kubectl logs why they ended",
}


@contextmanager
def started(kind: str, path: str, patience: float | None) -> Iterator[Any]:
    """Start a cluster, and wait for its first worker: so long, or for ever; yield a client."""
    from distributed import Client

    options = _options(kind, path)
    adapt = options.pop("adapt", None)
    if adapt is not None:
        options.setdefault("n_workers", adapt["minimum"])
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(KINDS[kind](options))
            if adapt is not None:
                cluster.adapt(**adapt)
        except ImportError as error:
            raise click.UsageError(
                f"--cluster {kind} needs another package ({error}): pip install 'daskgmm[{kind}]'"
            ) from error
        except Exception as error:  # of whatever kind the library raises
            raise click.ClickException(
                f"The {kind} cluster did not start: {type(error).__name__}: {error}\n"
                f"What it is made of stands in {path}."
            ) from error
        client = stack.enter_context(closed_at_the_end(Client(cluster, set_as_default=False)))
        click.echo(f"waiting for a worker of the {kind} cluster", err=True)
        _wait_for_a_worker(client, kind, patience)
        yield client
        try:
            stack.close()
        except Exception as error:  # what was computed is not lost for that
            click.echo(
                f"Warning: the {kind} cluster may not have ended: {type(error).__name__}: {error}. "
                f"Look what is left of it; {WHERE_TO_LOOK[kind]}.",
                err=True,
            )


def _wait_for_a_worker(client: Any, kind: str, patience: float | None) -> None:
    """Wait as long as the queue takes, or as the user says; say where to look meanwhile."""
    end = inf if patience is None else time.monotonic() + patience
    for minutes in count(1):
        try:
            client.wait_for_workers(1, timeout=max(0.1, min(60 * minutes, end - time.monotonic())))
        except TimeoutError:
            if time.monotonic() >= end:
                raise click.ClickException(
                    f"The {kind} cluster had no worker in {patience:.0f} s, the --stall-timeout; "
                    f"{WHERE_TO_LOOK[kind]}."
                ) from None
            click.echo(f"no worker yet; {WHERE_TO_LOOK[kind]}", err=True)
        else:
            return


@contextmanager
def _slurm(options: Options) -> Iterator[Any]:
    with at_once():  # the import would leave a handler of its own for Ctrl-C
        from dask_jobqueue import SLURMCluster

    n_workers = options.pop("n_workers")
    cluster = SLURMCluster(**options)
    try:
        with _said_once():
            cluster.sync(_scaled, cluster, n_workers)
        yield cluster
    finally:
        cluster.close()


async def _scaled(cluster: Any, n_workers: int) -> None:
    from distributed import Status

    cluster.scale(n_workers)
    try:
        await cluster  # else what is wrong with the jobs is only logged
    except Exception:
        for job in cluster.workers.values():
            if job.status is Status.created:
                job.status = Status.failed  # else the cluster does not close
        raise


@contextmanager
def _kubernetes(options: Options) -> Iterator[Any]:
    import kr8s
    from dask_kubernetes.operator import KubeCluster

    kr8s.api()  # a KubeCluster that cannot log in fails again, with a traceback, at exit
    with KubeCluster(**options) as cluster:
        yield cluster


KINDS: dict[str, Callable[[Options], AbstractContextManager[Any]]] = {
    "slurm": _slurm,
    "kubernetes": _kubernetes,
}


def _options(kind: str, path: str) -> Options:
    """Return the keywords of a cluster; refuse what would never have a worker."""
    import yaml

    try:
        options = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise click.UsageError(f"--cluster-options {path} cannot be read: {error}") from error
    if not isinstance(options, dict):
        raise click.UsageError(f"--cluster-options {path} holds no `keyword: value` lines.")
    adapt = options.get("adapt")
    if adapt is not None and not _is_range(adapt):
        raise click.UsageError(
            f"--cluster-options {path}: adapt takes a minimum of at least 1 worker and a maximum, "
            "as in `adapt: {minimum: 2, maximum: 8}`."
        )
    described = kind == "kubernetes" and "custom_cluster_spec" in options
    if adapt is None and not described and not _is_number(options.get("n_workers")):
        raise click.UsageError(
            f"--cluster-options {path} asks for no workers: add `n_workers: 4`, or "
            "`adapt: {minimum: 2, maximum: 8}` to have lost ones replaced."
        )
    return options


def _is_range(adapt: Any) -> bool:
    if not isinstance(adapt, Mapping):
        return False
    bounds: list[Any] = [adapt.get("minimum"), adapt.get("maximum")]
    return all(map(_is_number, bounds)) and bounds == sorted(bounds)


def _is_number(workers: Any) -> bool:
    return isinstance(workers, int) and workers >= 1


@contextmanager
def _said_once() -> Iterator[None]:
    """Let no event loop log, with a traceback, the error that is raised as well."""
    logger = logging.getLogger("tornado.application")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
