"""Executor on the workers of a Dask cluster that the user started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any, TypeVar
from uuid import uuid4

import dask
from dask._task_spec import TaskRef
from distributed.protocol import pickle

from daskgmm.counting import counted
from daskgmm.errors import SourceError
from daskgmm.passes.cache import CachedOnCluster
from daskgmm.passes.configuration import Configuration
from daskgmm.passes.executors.completions import Completions
from daskgmm.passes.executors.nodes import (
    Packed,
    bytes_node,
    call_node,
    loader,
    pack,
    packed_graph,
    packed_node,
    unpack,
)
from daskgmm.passes.executors.worker_check import ANSWER_SECONDS, check_workers
from daskgmm.passes.place import Place
from daskgmm.passes.reduction import groups_of, in_order, reduce_in_order
from daskgmm.passes.task import Merge, Outcome, Progress, Task, Work, merge_outcomes, run_task
from daskgmm.rows.rows import Segment
from daskgmm.storage.masking import described, harmless

Result = TypeVar("Result")

Graph = dict[Any, Any]

AHEAD = 4
"""Number of tasks a thread that are submitted before their turn, if results are not merged."""

SENT_BYTES = 1 << 20
"""Bytes of all pickled tasks above which they go to the cluster once; smaller ones go with every
pass, which saves a fetch for each."""

LAST = 9_999_999
"""Number of the first batch's key; the others count down. Dask starts equal tasks with the key that
sorts last, and the first batches should start first, for their errors and merges."""

_submitting = Lock()


class Cluster:
    """Runs tasks through `distributed` futures.

    A pass is one graph: a node for each batch, which depends on the parameters, and nodes that
    merge. Keys are new in every pass, as a key used again silently returns the old result.
    Nothing is pinned to a worker, and the scheduler knows all that is needed to compute a node
    again, the parameters too: a lost worker costs its own batches. Workers are checked before the
    first task; one that joins later and lacks daskgmm fails its task and lives on (`nodes`).
    """

    def __init__(self, client: Any, configuration: Configuration) -> None:
        self.client = client
        self._stall_timeout = configuration.stall_timeout
        self._packed: tuple[Sequence[Task[Any]], list[Any]] | None = None
        self._kept: list[Any] = []
        self._checked = False

    def stream(
        self, tasks: Sequence[Task[Any]], work: Work[Result], name: str
    ) -> Iterator[Outcome[Result]]:
        """Yield the outcomes in the order of the tasks; an error releases all others."""
        window = AHEAD * max(1, sum(self.client.nthreads().values()))
        early: dict[int, Outcome[Result]] = {}
        submitted = 0
        with self._completions() as completions:
            graph, keys, needed = self._graph(tasks, work, name, completions)
            for due in range(len(keys)):
                while due not in early:
                    if submitted - due <= window // 2 and submitted < len(keys):
                        part = keys[submitted : due + window]
                        chosen = {key: graph[key] for key in part}
                        completions.watch(self._submit({**chosen, **needed}, part), submitted)
                        submitted += len(part)
                    group = completions.next_group()
                    outcomes = map(unpack, completions.gather([future for _, future in group]))
                    early.update(zip((index for index, _ in group), outcomes, strict=True))
                yield early.pop(due)

    def reduce(
        self,
        tasks: Sequence[Task[Any]],
        work: Work[Result],
        merge: Merge[Result],
        name: str,
        progress: Progress,
        large: bool = False,
    ) -> Outcome[Result]:
        """Return the merged outcome of all tasks; workers merge if `large`."""
        merged = partial(merge_outcomes, merge)
        with self._completions() as completions:
            graph, keys, needed = self._graph(tasks, work, name, completions)
            if large:
                nodes, root = merge_nodes(keys, merged, f"{name}-merge-{uuid4().hex}")
                completions.watch(self._submit({**graph, **nodes, **needed}, [*keys, root]))
                return _root_outcome(completions, len(keys), progress)
            completions.watch(self._submit({**graph, **needed}, keys))
            return reduce_in_order(in_order(_gathered(completions, len(keys), progress)), merged)

    def cache(self, tasks: Sequence[Task[Any]]) -> list[Task[Any]]:
        """Return tasks whose decoded rows stay on the workers until `close`."""
        cached = []
        for task in tasks:

            def load(segment: Segment, retries: int = task.retries) -> Segment:
                return CachedOnCluster(self._load(segment, retries))

            beside = task.beside.map(load)
            cached.append(replace(task, rows=load(task.rows), beside=beside, ahead=False))
        return cached

    def get(self, graph: Graph, keys: list[Any]) -> list[Any]:
        """Compute keys of a Dask graph on the workers."""
        with self._completions() as completions:
            completions.watch(self._submit(packed_graph(graph), keys))
            values: dict[int, Any] = {}
            for group in completions.groups():
                results = completions.gather([future for _, future in group])
                values.update(zip((index for index, _ in group), results, strict=True))
            return [values[index] for index in range(len(keys))]

    def place(self) -> Place:
        """Return the workers of the cluster now."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        limits = [worker["memory_limit"] for worker in workers if worker["memory_limit"]]
        threads = max((worker["nthreads"] for worker in workers), default=1)
        name = (
            f"Dask cluster of {counted(len(workers), 'worker')} with {counted(threads, 'thread')} "
            "each"
        )
        limit = min(limits, default=None)
        usable = None if limit is None else int(limit * _pause_fraction())
        return Place(name, len(workers), threads, limit, usable, False, threads)

    def close(self) -> None:
        """Release the tasks on the cluster and the cached rows."""
        self._packed = None
        # Explicitly: the traceback of an error may keep the tasks alive.
        for future in self._kept:
            future.release()
        self._kept.clear()

    def _completions(self) -> Completions:
        return Completions(self.client, self._stall_timeout)

    def _graph(
        self, tasks: Sequence[Task[Any]], work: Any, name: str, completions: Completions
    ) -> tuple[Graph, list[Any], Graph]:
        """Return a node for each task, their keys, and the futures that they depend on."""
        run = f"{name}-{uuid4().hex}"
        shared = self._submit({f"parameters-{run}": packed_node(f"parameters-{run}", work)})[0]
        completions.keep(shared)
        needed = {shared.key: shared}
        graph, runs = {}, loader(_run)
        for index, (task, packed) in enumerate(zip(tasks, self._pack(tasks), strict=True)):
            key, arguments = (run, LAST - index), [packed, shared, *task.dependencies]
            futures = {argument.key: argument for argument in arguments if _is_future(argument)}
            needed.update(futures)
            graph[key] = call_node(key, runs, *map(_reference, arguments))
        return graph, list(graph), needed

    def _pack(self, tasks: Sequence[Task[Any]]) -> list[Any]:
        """Return the pickled tasks, or futures of them above `SENT_BYTES`; made once."""
        if self._packed is None or self._packed[0] is not tasks:
            packed: list[Any] = [_pickled(task) for task in tasks]
            if sum(map(len, packed)) > SENT_BYTES:
                run = f"daskgmm_batch-{uuid4().hex}"
                keys = [(run, index) for index in range(len(packed))]
                graph = {key: bytes_node(key, part) for key, part in zip(keys, packed, strict=True)}
                packed = self._submit(graph)
                self._kept.extend(packed)
            self._packed = tasks, packed
        return self._packed[1]

    def _load(self, segment: Any, retries: int) -> Any:
        key = f"daskgmm_cache-{uuid4().hex}"
        needed = {future.key: future for future in segment.dependencies}
        node = call_node(key, loader(_load), _pickled(segment), retries, *map(TaskRef, needed))
        self._kept.extend(self._submit({key: node, **needed}, [key]))
        return self._kept[-1]

    def _submit(self, graph: Graph, keys: list[Any] | None = None) -> list[Any]:
        """Send a graph and return the futures of `keys`, by default all of them."""
        if not self._checked:
            check_workers(self.client, min(ANSWER_SECONDS, self._stall_timeout))
            self._checked = True
        # Parameters may be large: in the graph they survive workers. The setting is that of the
        # process: without the lock, two fits that set and restore it would undo each other.
        quiet = {"distributed.admin.large-graph-warning-threshold": "1TiB"}
        with _submitting, dask.config.set(quiet):
            futures: list[Any] = self.client.get(
                graph, list(graph) if keys is None else keys, sync=False
            )
        return futures


def merge_nodes(leaves: list[Any], merge: Merge[Any], name: str) -> tuple[Graph, Any]:
    """Return nodes that merge the results of `leaves`, and the key of the root."""
    graph: Graph = {}
    level, merges = 0, loader(partial(_merge, merge))
    while len(leaves) > 1 or not graph:
        above = []
        for index, group in enumerate(groups_of(leaves)):
            key = (name, level, index)
            graph[key] = call_node(key, merges, *map(TaskRef, group))
            above.append(key)
        leaves, level = above, level + 1
    return graph, leaves[0]


def _root_outcome(completions: Completions, total: int, progress: Progress) -> Outcome[Any]:
    """Return the outcome of the root, whose future has the index `total`."""
    done = 0
    for group in completions.groups():
        for index, future in group:
            if index == total:
                outcome: Outcome[Any] = unpack(completions.gather([future])[0])
                return outcome
            done += 1
            progress(done, total)
    raise AssertionError("the last merge is among the futures")


def _gathered(
    completions: Completions, total: int, progress: Progress
) -> Iterator[tuple[int, Any]]:
    done = 0
    for group in completions.groups():
        outcomes = completions.gather([future for _, future in group])
        for (index, _), outcome in zip(group, outcomes, strict=True):
            done += 1
            progress(done, total)
            yield index, unpack(outcome)


def _pause_fraction() -> float:
    """Return the fraction of its memory at which a worker is paused."""
    parts = ("pause", "terminate")
    settings = [dask.config.get(f"distributed.worker.memory.{part}", False) for part in parts]
    return min((float(setting) for setting in settings if setting), default=1.0)


def _pickled(value: Any) -> bytes:
    """Pickle a task or segment; raise `SourceError` if its store is this process's own."""
    try:
        packed: bytes = pickle.dumps(value)
    except Exception as error:
        raise SourceError(
            "X or sample_weight cannot be sent to the workers of the Dask cluster "
            f"({described(error)}). Give what they can open themselves: a path, a URL, or a store "
            "that can be pickled. Of an icechunk repository that is the store of "
            "repo.readonly_session(...), or, opened with mode='r+', that of session.fork(). To "
            "read it in this process instead, close the client."
        ) from harmless(error)
    return packed


def _is_future(value: Any) -> bool:
    return hasattr(value, "key")


def _reference(value: Any) -> Any:
    return TaskRef(value.key) if _is_future(value) else value


def _run(packed: bytes, work: Packed, *dependencies: Any) -> Packed:
    return pack(run_task(pickle.loads(packed), unpack(work), dependencies))


def _merge(merge: Merge[Any], *outcomes: Packed) -> Packed:
    return pack(reduce_in_order(map(unpack, outcomes), merge))


def _load(packed: bytes, retries: int, *dependencies: Any) -> list[Any]:
    return list(pickle.loads(packed).stream(dependencies, retries))
