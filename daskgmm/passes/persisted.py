"""Rows that were persisted: whether the cluster that holds them is still there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from daskgmm.errors import ClusterError, SourceError

ANSWER_SECONDS = 10.0
"""How long a scheduler is waited for that is asked who it is."""


def asynchronous() -> ClusterError:
    """Return what ends a call that would wait in the event loop of a client."""
    return ClusterError(
        "The Dask client is asynchronous and runs in this thread's event loop, which a call that "
        "waits for the cluster would hold up for ever. Call from another thread, as with "
        "`await asyncio.to_thread(mixture.fit, X)`, or make the client without asynchronous=True."
    )


def check_there(name: str, futures: Iterable[Any]) -> None:
    """Refuse rows that were persisted on what is gone.

    Parameters
    ----------
    name : str
        Of the argument, for errors.
    futures : iterable of distributed.Future

    Raises
    ------
    SourceError
        If their client is closed, or they were cancelled, as when a cluster is restarted.
    """
    for future in futures:
        why = _gone(future)
        if why is not None:
            raise _not_there(name, future, why)


def check_persisted(name: str, futures: Sequence[Any], client: Any) -> None:
    """Refuse rows that were persisted where a pass cannot have them.

    Parameters
    ----------
    name, futures : as of `check_there`
    client : distributed.Client or None
        Of the cluster that is to compute; None for this process, which fetches what it needs.

    Raises
    ------
    SourceError
        As `check_there`, or if another cluster than the client's holds them.
    ClusterError
        If they can only be waited for in another thread.
    """
    check_there(name, futures)
    owners = {id(future.client): future for future in futures}
    for future in owners.values():
        owner = future.client
        if owner.asynchronous:
            raise asynchronous()
        if client is not None and owner is not client and _scheduler(owner) != _scheduler(client):
            raise _not_there(name, future, "by another cluster than that of the current client")


def _not_there(name: str, future: Any, why: str) -> SourceError:
    return SourceError(
        f"{name} was persisted, and its parts are held {why}; {future.key!r} is one of them. "
        "Persist it again on the client that is current now, or give what it was before persist()."
    )


def _gone(future: Any) -> str | None:
    """Return by whom a result is held that cannot be had, in words, or None."""
    owner = future.client
    if owner is None:
        return "by a client that this process does not have"
    if owner.status != "running":
        return f"by a client that is {owner.status}"
    if future.status == "cancelled":
        return "no longer: they were cancelled, or their cluster was restarted or lost them"
    return None


def _scheduler(client: Any) -> str:
    identity = client.sync(client.scheduler.identity, n_workers=0, callback_timeout=ANSWER_SECONDS)
    return str(identity["id"])
