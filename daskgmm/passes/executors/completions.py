"""Futures as they end, and an error instead of silence when nobody can end them."""

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

from daskgmm.errors import ClusterError
from daskgmm.passes.executors.asking import ANSWER_SECONDS, explained
from daskgmm.passes.executors.watchdog import Guard, connection_lost

CHECK_SECONDS = 1.0
"""How often, in silence, the connection to the scheduler is looked at."""


class Completions:
    """Watches futures of one pass; on leaving the context, lets go of those that have not ended.

    Parameters
    ----------
    client : distributed.Client
    stall_timeout : float
        Seconds without a running worker after which a silent cluster is given up.
    """

    def __init__(self, client: Any, stall_timeout: float) -> None:
        self._client = client
        self._guard = Guard(client, stall_timeout)
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
        """Let go of futures: what nobody wants is forgotten, or not computed.

        Explicitly, as an error's traceback may keep them alive. `Client.cancel` would end the
        connection where tasks that nobody wants directly depend on one (distributed 2026.8).
        """
        for future in futures:
            future.release()
        futures.clear()

    def keep(self, future: Any) -> None:
        """Keep a future until the context is left."""
        self._kept.append(future)

    def watch(self, futures: Sequence[Any], first: int = 0) -> None:
        """Watch more futures, numbered from `first` on."""
        for index, future in enumerate(futures, start=first):
            self._pending[index] = future
            future.add_done_callback(partial(self._note, index))

    def groups(self) -> Iterator[list[tuple[int, Any]]]:
        """Yield the futures that have ended since the last group, until none is left.

        A group is let go when the next is asked for: results that nobody else wants leave the
        cluster then.

        Raises
        ------
        Exception
            What a task raised, as soon as it did.
        ClusterError
            If workers died of a task, all workers are gone, or the scheduler is.
        """
        while self._pending:
            yield self.some()

    def some(self) -> list[tuple[int, Any]]:
        """Wait for at least one future to end; return all that have, as `groups` does."""
        self._release(self._yielded)
        indices = [self._wait()]
        while not self._ended.empty():
            indices.append(self._ended.get())
        group = [(index, self._pending.pop(index)) for index in indices]
        self._yielded = [future for _, future in group]
        for _, future in group:
            # One that is lost is computed again already; `gather` waits for it.
            if future.status not in ("finished", "lost"):
                raise self._failure(future)
        return group

    def gather(self, futures: Sequence[Any]) -> list[Any]:
        """Return the results of futures that have ended, computed again if they got lost."""
        try:
            results: list[Any] = self._awaited(
                self._client.gather(list(futures), asynchronous=True)
            )
        except KilledWorker as error:
            raise _killed(error) from error
        except CommClosedError as error:
            raise connection_lost(error) from error
        except (CancelledError, FutureCancelledError) as error:
            self._guard.check_connection()
            raise ClusterError(
                "Results were cancelled, or the cluster was restarted. Run again; a fit with "
                "a checkpoint goes on where it was."
            ) from error
        return results

    def _awaited(self, coroutine: Any) -> Any:
        """Return what a coroutine of the client's returns, and watch the cluster meanwhile."""
        awaited = asyncio.run_coroutine_threadsafe(coroutine, self._client.loop.asyncio_loop)
        try:
            while not wait([awaited], self._guard.step).done:
                self._guard.look()
            return awaited.result()
        finally:
            awaited.cancel()

    def _note(self, index: int, future: Any) -> None:
        self._ended.put(index)

    def _wait(self) -> int:
        looked = time.monotonic()
        while True:
            try:
                index = self._ended.get(timeout=min(CHECK_SECONDS, self._guard.step))
            except Empty:
                self._guard.check_connection()
                if time.monotonic() - looked >= self._guard.step:
                    self._guard.look()
                    looked = time.monotonic()
            else:
                self._guard.well()
                return index

    def _failure(self, future: Any) -> BaseException:
        if future.status == "error":
            error: BaseException = future.exception()
            if isinstance(error, KilledWorker):
                return _killed(error)
            return explained(self._client, error, self._patience)
        self._guard.check_connection()
        return ClusterError(
            f"The task {future.key!r} is {future.status}: somebody cancelled it, or the cluster "
            "was restarted. Run again; a fit with a checkpoint goes on where it was."
        )


def _killed(error: Any) -> ClusterError:
    return ClusterError(
        f"{error.allowed_failures + 1} workers died one after the other while they "
        f"ran {error.task!r}, the last at {error.last_worker.address}. Mostly memory "
        "ran out: look at `daskgmm plan`, give workers more memory or fewer threads, "
        "or write the data in smaller chunks."
    )
