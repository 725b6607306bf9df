"""Checks of persisted rows: their cluster still has them and is the current one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from daskgmm.errors import ClusterError, SourceError

ANSWER_SECONDS = 10.0
"""Seconds to wait for the identity of a scheduler."""


def asynchronous() -> ClusterError:
    """Return the error for a call that would block the event loop of a client."""
    return ClusterError(
        "The Dask client is asynchronous and runs in this thread's event loop, which a call that "
        "waits for the cluster would hold up for ever. Call from another thread, as with "
        "`await asyncio.to_thread(mixture.fit, X)`, or make the client without asynchronous=True."
    )


def check_there(name: str, futures: Iterable[Any]) -> None:
    """Refuse persisted rows whose client is closed, or which were cancelled."""
    for future in futures:
        why = _gone(future)
        if why is not None:
            raise _not_there(name, future, why)


def check_persisted(name: str, futures: Sequence[Any], client: Any) -> None:
    """Refuse persisted rows that a pass with this client, or without one, cannot read.

    They are lost, on another cluster than the client's, or their own client is asynchronous.
    """
    check_there(name, futures)
    owners = {id(future.client): future for future in futures}
    for future in owners.values():
        owner = future.client
        if owner.asynchronous:
            raise asynchronous()
        if client is not None and owner is not client and _scheduler(owner) != _scheduler(client):
            raise _not_there(name, future, "on another cluster than that of the current client")


def _not_there(name: str, future: Any, why: str) -> SourceError:
    return SourceError(
        f"{name} was persisted, and its parts are {why}; {future.key!r} is one of them. "
        "Persist it again on the client that is current now, or give what it was before persist()."
    )


def _gone(future: Any) -> str | None:
    """Describe in words where the result of a future is lost; None if it is not."""
    owner = future.client
    if owner is None:
        return "with a client that this process does not have"
    if owner.status != "running":
        return f"with a client that is {owner.status}"
    if future.status == "cancelled":
        return "lost: they were cancelled, or their cluster was restarted or lost them"
    return None


def _scheduler(client: Any) -> str:
    identity = client.sync(client.scheduler.identity, n_workers=0, callback_timeout=ANSWER_SECONDS)
    return str(identity["id"])
