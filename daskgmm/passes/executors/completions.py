"""Futures of a pass as they end; an error if none can end any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

from distributed import CancelledError, KilledWorker
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError

from daskgmm.counting import counted
from daskgmm.errors import ClusterError
from daskgmm.passes.executors.watchdog import Watchdog, connection_lost
from daskgmm.passes.executors.worker_check import ANSWER_SECONDS, explained

CHECK_SECONDS = 1.0
"""Seconds from one check of the connection to the scheduler to the next, in silence."""


class Completions:
    """Watches the futures of a pass; the end of the context releases all of them.

    Parameters
    ----------
    client : distributed.Client
    stall_timeout : float
        Seconds without a running worker after which a silent cluster is an error.
    """

    def __init__(self, client: Any, stall_timeout: float) -> None:
        self._client = client
        self._watchdog = Watchdog(client, stall_timeout)
        self._patience = min(ANSWER_SECONDS, stall_timeout)
        self._pending: dict[int, Any] = {}
        self._yielded: list[Any] = []
        self._kept: list[Any] = []
        self._ended: SimpleQueue[int] = SimpleQueue()

    def __enter__(self) -> Completions:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release([*self._pending.values(), *self._yielded, *self._kept])
        self._pending.clear()

    def _release(self, futures: list[Any]) -> None:
        """Release futures: the scheduler then forgets their results, or does not compute them.

        Explicitly, as an error's traceback may keep them alive. `Client.cancel` would end the
        connection if a merge depends on one (distributed 2026.8).
        """
        for future in futures:
            future.release()
        futures.clear()

    def keep(self, future: Any) -> None:
        """Keep a future until the end of the context."""
        self._kept.append(future)

    def watch(self, futures: Sequence[Any], first: int = 0) -> None:
        """Watch more futures; their indices start at `first`."""
        for index, future in enumerate(futures, start=first):
            self._pending[index] = future
            future.add_done_callback(partial(self._note, index))

    def groups(self) -> Iterator[list[tuple[int, Any]]]:
        """Yield the futures that have ended since the last group, until none is left.

        The next group releases the last one: its results leave the cluster then.
        """
        while self._pending:
            yield self.next_group()

    def next_group(self) -> list[tuple[int, Any]]:
        """Wait until at least one future has ended; return all that have."""
        self._release(self._yielded)
        indices = [self._wait()]
        while not self._ended.empty():
            indices.append(self._ended.get())
        group = [(index, self._pending.pop(index)) for index in indices]
        self._yielded = [future for _, future in group]
        for _, future in group:
            # The scheduler already computes a lost one again; `gather` waits for it.
            if future.status not in ("finished", "lost"):
                raise self._failure(future)
        return group

    def gather(self, futures: Sequence[Any]) -> list[Any]:
        """Return the results of futures that have ended; wait for those lost since."""
        try:
            results: list[Any] = self._awaited(
                self._client.gather(list(futures), asynchronous=True)
            )
        except KilledWorker as error:
            raise _killed(error) from error
        except CommClosedError as error:
            raise connection_lost(error) from error
        except (CancelledError, FutureCancelledError) as error:
            self._watchdog.check_connection()
            raise ClusterError(
                "Results were cancelled, or the cluster was restarted. Run again; a fit with "
                "a checkpoint resumes where it was."
            ) from error
        return results

    def _awaited(self, coroutine: Any) -> Any:
        """Return the result of a coroutine of the client; check the cluster meanwhile."""
        awaited = asyncio.run_coroutine_threadsafe(coroutine, self._client.loop.asyncio_loop)
        try:
            while not wait([awaited], self._watchdog.interval).done:
                self._watchdog.check()
            return awaited.result()
        finally:
            awaited.cancel()

    def _note(self, index: int, future: Any) -> None:
        self._ended.put(index)

    def _wait(self) -> int:
        """Return the index of the next future that ends."""
        checked = time.monotonic()
        while True:
            try:
                index = self._ended.get(timeout=min(CHECK_SECONDS, self._watchdog.interval))
            except Empty:
                self._watchdog.check_connection()
                if time.monotonic() - checked >= self._watchdog.interval:
                    self._watchdog.check()
                    checked = time.monotonic()
            else:
                self._watchdog.reset()
                return index

    def _failure(self, future: Any) -> BaseException:
        if future.status == "error":
            error: BaseException = future.exception()
            if isinstance(error, KilledWorker):
                return _killed(error)
            return explained(self._client, error, self._patience)
        self._watchdog.check_connection()
        return ClusterError(
            f"The task {future.key!r} is {future.status}: somebody cancelled it, or the cluster "
            "was restarted. Run again; a fit with a checkpoint resumes where it was."
        )


def _killed(error: Any) -> ClusterError:
    return ClusterError(
        f"{counted(error.allowed_failures + 1, 'worker')} died one after the other while they "
        f"ran {error.task!r}, the last at {error.last_worker.address}. Mostly memory "
        "ran out: look at `daskgmm plan`, give workers more memory or fewer threads, "
        "or write the data in smaller chunks."
    )
