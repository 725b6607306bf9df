"""Cost of a fit in passes, bytes and memory, estimated before a byte is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daskgmm.counting import counted
from daskgmm.errors import PlanError
from daskgmm.gaussian.kernels.compiled.expectation import expectation_nbytes
from daskgmm.gaussian.kernels.workspace import rows_nbytes, tile_rows, workspace_nbytes
from daskgmm.markup.card import with_bar
from daskgmm.markup.carded import Carded, Sheet
from daskgmm.names import FLOAT64
from daskgmm.passes.batches import GUESSED_ROWS
from daskgmm.passes.configuration import backend_name
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.executors.threads import AHEAD
from daskgmm.passes.place import Place
from daskgmm.passes.reduction import FAN_IN
from daskgmm.readers import remedy
from daskgmm.rows.rows import UNKNOWN, Rows

WORKER_BYTES = 260 << 20
"""Bytes of a Dask worker before it reads: 110 MB measured if `dask worker` starts it, 250 MB if a
script starts a `LocalCluster`, as each worker then imports what the script does (Python 3.11,
distributed 2026.8)."""

PARAMETER_COPIES = 3
"""Copies of the parameters in a worker: pickled, unpickled, and those of the last pass."""

SMALL_CHUNK_BYTES = 1 << 20
LARGE_CHUNK_BYTES = 128 << 20
"""Bytes of chunks that are read at full speed: smaller ones cost a request each, larger ones
memory."""

TASKS_A_THREAD = 4


FEWER_THREADS = (
    "workers with fewer threads (num_workers of Dask's configuration, --threads, --nthreads of "
    "`dask worker`)"
)


@dataclass(frozen=True, slots=True)
class Steps:
    """Memory of the steps between passes, in the process that calls `fit`.

    Attributes
    ----------
    held : int
        Bytes that stay during passes: of all mixtures the parameters, and the points that
        acceleration keeps.
    beside : int
        Peak bytes beside these of an M-step and of a step of acceleration, or of writing a
        checkpoint.
    starts : int
        Peak bytes of the starts, without the rows that they are made on.
    """

    held: int
    beside: int
    starts: int

    @property
    def nbytes(self) -> int:
        """Peak bytes of all of it."""
        return max(self.held + self.beside, self.starts)


NO_STEPS = Steps(0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Sizes of the model and of its passes, without those of the rows.

    Attributes
    ----------
    n_components : int
    n_statistics : int
        Number of statistics of a component, p.
    n_features : int
        Number of features of the model, d; after `pca` fewer than columns.
    max_passes : int
    sample_rows : int
        Largest number of rows in the sample of the survey; 0 without a sample.
    sample_spread : int
        By how much more rows a batch may keep for it than its share.
    start_nbytes : int
        Peak bytes of the sample that starts are made on, in this process.
    steps, plain_steps : Steps
        Memory of the steps between passes, and what it were without acceleration.
    survey_nbytes : int
        Peak bytes of the survey of a batch, without rows.
    survey_result_nbytes : int
        Bytes of the survey's result.
    maps : bool
        Whether columns are mapped, which adds a float64 copy of each block.
    drops : bool
        Whether rows are dropped, which adds a copy of each block.
    patterns_nbytes : int
        Bytes that grouping rows by the values that they miss takes; 0 if these are not kept.
    cells_nbytes : int
        Bytes that sorting rows by their cells takes; 0 where all components are candidates.
    noise_nbytes : int
        Bytes that rows with noise of their own take; 0 without.
    coordinates : str
        Coordinates of the fit, in words.
    precision : str
        What early passes may be computed in.
    n_candidates : int or None
        Components that each row is compared with; None for all.
    checkpoint : bool
        Whether the state of the fit is written after each iteration.
    n_buffer_rows : int
        Numbers that tiles keep of each row; 0 for as many as statistics.
    least_tile_rows : int
        Rows that tiles have at least.
    n_mixtures : int
        Number of mixtures that a pass is for.
    n_workspaces : int
        Number of workspaces that these share.
    """

    n_components: int
    n_statistics: int
    n_features: int
    max_passes: int
    sample_rows: int = 0
    sample_spread: int = 1
    start_nbytes: int = 0
    steps: Steps = NO_STEPS
    plain_steps: Steps = NO_STEPS
    survey_nbytes: int = 0
    survey_result_nbytes: int = 0
    maps: bool = False
    drops: bool = False
    patterns_nbytes: int = 0
    cells_nbytes: int = 0
    noise_nbytes: int = 0
    coordinates: str = "the columns as they are"
    precision: str = FLOAT64
    n_candidates: int | None = None
    checkpoint: bool = False
    n_buffer_rows: int = 0
    least_tile_rows: int = 0
    n_mixtures: int = 1
    n_workspaces: int = 1

    @property
    def workspace_nbytes(self) -> int:
        """Bytes of the buffers of an E-step, which each thread keeps."""
        p, k, d = self.n_statistics, self.n_components, self.n_features
        b = tile_rows(p, k, self.least_tile_rows)
        by_numpy = workspace_nbytes(b, k, d, self.n_buffer_rows or p)
        by_numpy += (self.n_workspaces - 1) * rows_nbytes(b, d)
        return max(by_numpy, expectation_nbytes(p, k, d, self.n_mixtures))

    @property
    def arithmetic_nbytes(self) -> int:
        """Peak bytes of the work on a batch, without rows: statistics and buffers."""
        statistics = 2 * 8 * self.n_statistics * self.n_components
        beside = self.patterns_nbytes + self.cells_nbytes + self.noise_nbytes
        expectation = self.workspace_nbytes + statistics + beside
        return max(expectation, self.survey_nbytes)

    def result_nbytes(self, results: int) -> int:
        """Return the bytes of some results of batches and of the parameters of a pass."""
        statistics = 8 * self.n_statistics * self.n_components
        return max((PARAMETER_COPIES + results) * statistics, results * self.survey_result_nbytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Carded):
    """The cost of a fit.

    Attributes
    ----------
    place : Place
        Processes that run the passes.
    rows : int or None
        Number of rows; None if unknown before they are read.
    features : int
        Number of columns.
    dtype : str
    pass_nbytes : int or None
        Decoded bytes that each pass reads.
    coordinates : str
        Coordinates of the fit, in words.
    missing : str
        Treatment of rows that miss a value, in words.
    precision : str
        What passes are computed in, in words.
    candidates : str
        Components that each row is compared with, in words; empty if it is with all.
    checkpoint : bool
        Whether the state of the fit is written after each iteration.
    chunks : int
        Number of blocks; a block is a chunk, or small chunks in a row, read at once.
    batches : int
        Number of tasks of a pass.
    kernel : str
        Name of the back end that computes them.
    max_passes : int
        Survey, sample and the most iterations that the settings allow; most fits take 5 to 30.
    thread_nbytes : int
        Peak bytes of one thread's task, on top of what its process always takes.
    worker_nbytes : int
        Peak bytes of a worker process, or of this process if passes run here.
    sample_spread : int
        By how much more rows a batch may keep for it than its share.
    start_nbytes : int
        Peak bytes of the sample that starts are made on, in this process wherever passes run.
    steps_nbytes : int
        Peak bytes of the steps between passes, in this process wherever passes run: M-steps, the
        points that acceleration keeps, and a checkpoint while it is written.
    acceleration_nbytes : int
        Bytes that acceleration keeps during passes.
    cached_batches : int
        Number of batches that stay in memory after they were read.
    advice : tuple of str
    """

    place: Place
    rows: int | None
    features: int
    dtype: str
    pass_nbytes: int | None
    coordinates: str
    missing: str
    precision: str
    candidates: str
    checkpoint: bool
    chunks: int
    batches: int
    kernel: str
    max_passes: int
    thread_nbytes: int
    worker_nbytes: int
    start_nbytes: int
    steps_nbytes: int
    acceleration_nbytes: int
    cached_batches: int
    advice: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether a worker may take the bytes that it needs."""
        usable = self.place.usable_memory
        return usable is None or self.worker_nbytes <= usable

    def check(self) -> None:
        """Raise `PlanError` if a worker may not take the bytes that it needs."""
        if self.refusal:
            raise PlanError(self.refusal)

    @property
    def refusal(self) -> str:
        """Why the fit would be refused, and what reduces the bytes that it needs; "" if it fits."""
        limit, usable = self.place.memory_limit, self.place.usable_memory
        if self.fits or limit is None or usable is None:
            return ""
        of = "" if usable == limit else f" of its {size(limit)}, where Dask pauses it"
        each = "for each of " if self.place.threads > 1 else "for "
        parts = f"{size(self.thread_nbytes)} {each}{counted(self.place.threads, 'thread')}"
        who = "A worker"
        if self.place.here:
            who = "This process"
            # The start keeps its memory, and of a pass and the time between two the larger counts.
            parts = f"{size(self.start_nbytes)} for the start, {parts} in a pass or "
            parts += f"{size(self.steps_nbytes)} between passes"
        return (
            f"{who} would need {size(self.worker_nbytes)} and may take {size(usable)}{of}: "
            f"{parts}, sums that wait to be added, and what a process always holds. {self._remedy}"
        )

    @property
    def _remedy(self) -> str:
        """What makes a fit fit that does not."""
        ways = ["more memory", "smaller chunks"]
        if self.place.threads > 1:
            ways.insert(0, FEWER_THREADS)
        if self.cached_batches:
            ways.append("less cache (--cache)")
        advice = f"Use {', '.join(ways[:-1])} or {ways[-1]}."
        of_model = self.start_nbytes + self.steps_nbytes
        if self.place.here and of_model > self.worker_nbytes / 2:
            advice = (
                "Use fewer components, a structure of fewer parameters (tied, diag, ppca), or more "
                "memory."
            )
        if not self.place.here or self.acceleration_nbytes < SMALL_CHUNK_BYTES:
            return advice
        plain = remedy("acceleration=None", "--acceleration none")
        return f"{advice} With {plain} it takes {size(self.acceleration_nbytes)} less."

    def __repr__(self) -> str:
        return (
            f"<Plan: {counted(self.batches, 'batch', 'es')}, a process takes at most "
            f"{size(self.worker_nbytes)}{'' if self.fits else ', which is too much'}; print it for "
            "all>"
        )

    def __str__(self) -> str:
        return "\n\n".join([self.table, *self._refused, *self.advice])

    @property
    def table(self) -> str:
        """Names and values in lines, without advice."""
        known = self._facts()
        width = max(len(name) for name, _ in known)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in known)

    @property
    def _refused(self) -> list[str]:
        return [f"It does not fit, and the fit would be refused. {self.refusal}"] * (not self.fits)

    def _sheet(self) -> Sheet:
        title = "Plan: a process takes at most " + size(self.worker_nbytes)
        limit, share = self.place.usable_memory, ""
        if limit:
            used = self.worker_nbytes / limit
            share = with_bar(f"{used:.0%} of the {size(limit)} that it may take", used)
        memory = [("memory", share)] if share else []
        return Sheet(title, [*memory, *self._facts()], notices=[*self._refused, *self.advice])

    def _facts(self) -> list[tuple[str, str]]:
        """Return names and values, in words."""
        rows = "unknown until read" if self.rows is None else f"{self.rows:,}"
        nbytes = "unknown until read" if self.pass_nbytes is None else size(self.pass_nbytes)
        limit = self.place.memory_limit
        batches = counted(self.batches, "batch", "es")
        iterations = counted(self.max_passes - 2, "iteration")
        return [
            ("runs on", self.place.name),
            ("rows", f"{rows} of {counted(self.features, 'feature')}, {self.dtype}"),
            ("missing values", self.missing),
            ("the fit is in", self.coordinates),
            ("a pass reads", nbytes),
            ("in", f"{batches} with {counted(self.chunks, 'block')} in all"),
            ("a block is", "a chunk, or small chunks in a row, read at once"),
            ("kernel", self.kernel),
            ("precision", self.precision),
            *([("candidates", self.candidates)] if self.candidates else []),
            ("passes", f"1 or 2 for the start, then at most {iterations}"),
            ("checkpoint", "written after each iteration" if self.checkpoint else "none"),
            ("kept in memory", f"{self.cached_batches:,} of {batches}"),
            ("a thread takes", f"at most {size(self.thread_nbytes)}"),
            ("the start takes", f"at most {size(self.start_nbytes)} of this process"),
            ("between passes", f"at most {size(self.steps_nbytes)} of this process"),
            ("a process takes", f"at most {size(self.worker_nbytes)}"),
            ("memory limit", "none known" if limit is None else size(limit)),
        ]


def make_plan(data: Dataset, needs: Needs) -> Plan:
    """Return the cost of passes over `data`."""
    place, rows = data.executor.place(), data.rows
    task = task_nbytes(data, needs) + _sample_nbytes(data, needs)
    cached_batches = data.cached_batches
    # Starts come on top, with a workspace that their thread keeps: not all memory that is freed
    # between passes goes back to the system.
    start = needs.start_nbytes + (needs.workspace_nbytes if needs.start_nbytes else 0)
    results = needs.result_nbytes(min(_waiting(len(data.batches), place), len(data.batches)))
    passes = place.tasks * task + _ahead_nbytes(data) + results
    if place.here:
        # Between passes threads keep their workspaces.
        kept = place.tasks * needs.workspace_nbytes
        passes = start + max(passes + needs.steps.held, kept + needs.steps.nbytes)
    cached = sum((batch.rows or 0) * data.row_nbytes for batch in data.batches[:cached_batches])
    worker = (
        WORKER_BYTES + passes + -(-(cached + _sent_nbytes(data, place)) // max(1, place.workers))
    )
    n = rows.n_rows
    return Plan(
        place=place,
        rows=n,
        features=rows.n_features,
        dtype=str(rows.dtype),
        pass_nbytes=None if n is None else n * data.row_nbytes,
        coordinates=needs.coordinates,
        missing=_missing_in_words(needs),
        precision=_precision_in_words(needs.precision),
        candidates=_candidates_in_words(needs),
        checkpoint=needs.checkpoint,
        chunks=len(rows.lengths),
        batches=len(data.batches),
        kernel=backend_name(),
        max_passes=needs.max_passes,
        thread_nbytes=task,
        worker_nbytes=worker,
        start_nbytes=start,
        steps_nbytes=needs.steps.nbytes,
        acceleration_nbytes=needs.steps.held - needs.plain_steps.held,
        cached_batches=cached_batches,
        advice=tuple(_advice(data, place)),
    )


def _precision_in_words(precision: str) -> str:
    if precision == FLOAT64:
        return FLOAT64
    return f"early passes in {precision} where rounding allows it; sums and the last in {FLOAT64}"


def _candidates_in_words(needs: Needs) -> str:
    if needs.n_candidates is None:
        return ""
    return (
        f"{needs.n_candidates} of {needs.n_components} for each row; where EM has converged, 2 "
        "passes choose others and compare them"
    )


def _missing_in_words(needs: Needs) -> str:
    if needs.patterns_nbytes:
        return (
            "rows count with what they have; a pass takes longer with each pattern of missing "
            "values"
        )
    return "their rows are left out" if needs.drops else "an error"


def _waiting(batches: int, place: Place) -> int:
    """Return the largest number of results that wait for their merge in one process.

    Threads have those before their turn and one at each level of the binary tree; a worker has a
    group at each level.
    """
    if place.here:
        return AHEAD * place.threads + batches.bit_length() + 1
    levels = 1
    while FAN_IN**levels < batches:
        levels += 1
    return levels * (FAN_IN - 1) + FAN_IN


def task_nbytes(data: Dataset, needs: Needs) -> int:
    """Return the peak bytes of a task."""
    block = _block_rows(data.rows) * data.row_nbytes
    # One block in the arithmetic, and the peak of reading the next one.
    blocks = block * (1 + data.rows.read_copies) if data.rows.reads else 0
    for other in data.beside:
        if other.reads:
            # Its block is cut from whole chunks, which may be longer than those of the rows.
            chunk = other.chunk_nbytes
            if other.block_rows is not None:
                chunk = _block_rows(other) * other.row_nbytes
            blocks += chunk * (1 + other.read_copies)
    return needs.arithmetic_nbytes + int(blocks) + _transform_nbytes(data.rows, needs)


def _ahead_nbytes(data: Dataset) -> int:
    """Return the bytes that reads ahead take in a process, on top of the next block of a task."""
    return max(data.rows.ahead, *(other.ahead for other in data.beside), 0)


def _transform_nbytes(rows: Rows, needs: Needs) -> int:
    """Return the bytes of the copies that the transform makes of the largest block."""
    dropped = rows.row_nbytes if needs.drops else 0
    mapped = 8 * (rows.n_features + needs.n_features) if needs.maps else 0
    return _block_rows(rows) * (dropped + mapped)


def _block_rows(rows: Rows) -> int:
    """Return the number of rows of the largest block, guessed if unknown."""
    lengths = np.where(rows.lengths == UNKNOWN, GUESSED_ROWS, rows.lengths)
    longest = int(lengths.max(initial=0))
    return longest if rows.block_rows is None else min(longest, rows.block_rows)


def _sent_nbytes(data: Dataset, place: Place) -> int:
    """Return the bytes beside the rows that this process sends to a cluster."""
    if place.here:
        return 0
    sent = (other for other in data.beside if other.in_process)
    return sum((other.n_rows or 0) * other.row_nbytes for other in sent)


def _sample_nbytes(data: Dataset, needs: Needs) -> int:
    """Return the bytes of a batch's part of the sample, in pieces and concatenated."""
    n = data.rows.n_rows
    largest = max((b.rows or 0 for b in data.batches), default=0)
    share = 1.0 if not n else min(1.0, 1.5 * needs.sample_spread * largest / n)
    rows = needs.sample_rows if n is None else min(needs.sample_rows, n)
    return int(2 * share * rows * (data.row_nbytes + 16))


def _advice(data: Dataset, place: Place) -> list[str]:
    advice, rows = [], data.rows
    chunk, largest = rows.chunk_nbytes, int(rows.lengths.max(initial=0)) * rows.row_nbytes
    if rows.reads and len(rows.lengths) > 1 and chunk < SMALL_CHUNK_BYTES:
        advice.append(
            f"Chunks are small ({size(chunk)}): reading each takes longer than its bytes do. Write "
            "the data once more with chunks of 4 to 64 MB, or as shards of that size."
        )
    if rows.reads and rows.block_rows is None and largest > LARGE_CHUNK_BYTES:
        advice.append(
            f"Chunks are large ({size(largest)}), and each thread holds several copies while it "
            "reads one. Chunks of 4 to 64 MB take less memory and are as fast."
        )
    if _sent_nbytes(data, place) > LARGE_CHUNK_BYTES:
        advice.append(
            f"The weights are in this process's memory: {size(_sent_nbytes(data, place))} go to "
            "the workers and stay there during the fit. In a store they would be read as needed."
        )
    threads = place.threads * max(1, place.workers)
    if len(data.batches) < min(threads, len(rows.lengths)) * TASKS_A_THREAD < len(rows.lengths):
        advice.append(
            f"There is little work: {counted(len(data.batches), 'batch', 'es')} for "
            f"{counted(threads, 'thread')}. Fewer "
            "threads would take about as long."
        )
    if len(rows.lengths) < threads and largest > SMALL_CHUNK_BYTES:
        advice.append(
            f"Chunks are few: {counted(len(rows.lengths), 'block')} for {threads:,} threads, so "
            "some of these have nothing to do. Smaller chunks would change that."
        )
    return advice


def size(nbytes: int) -> str:
    """Return bytes in words, to three digits, in the largest power of 1000 that is not larger."""
    value = float(nbytes)
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if float(f"{value:.3g}") < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{nbytes / 1e15:,.0f} PB"
