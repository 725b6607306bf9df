"""Claim: at 1,000 workers of 4 threads the engine itself takes at most 10 % of a pass over 32 TB.

The scheduler and the driver are real, in this process; workers are real Dask workers in two other
processes, and their tasks sleep and have two rows. What this process's CPUs take for a batch is
measured, with as many batches as threads. The batches of 1e12 rows of 4 features are cut as a fit
does. The rest is arithmetic: a pass takes as long as storage does, at 1 GB/s for each worker and at
100 GB/s for all. No row of the 32 TB is read, and no network is between scheduler and workers.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from daskgmm.companions import ALONE
from daskgmm.em.events import silence
from daskgmm.em.expectation import expect
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.survey import TrainingSet
from daskgmm.gaussian.kernels.choice import choose_kernel
from daskgmm.gaussian.parameters import Parameters
from daskgmm.passes.batches import Batch, cut_batches, seconds_per_row
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.executors.executor import choose_executor
from tests.benchmarks.clusters import Sleeping, asleep
from tests.benchmarks.tables import against, print_table, seconds

TARGET = 0.1

THREADS, K, D = 4, 8, 4

ROWS, CHUNK_ROWS = 10**12, 1 << 21
"""32 TB in chunks of 64 MiB."""

A_WORKER, IN_ALL = 1e9, 100e9
"""Bytes a second of storage."""


def main(smoke: bool = False) -> None:
    """Print the table."""
    store = Sleeping(-(-ROWS // CHUNK_ROWS), 0.0)
    store.lengths = np.full(len(store.lengths), CHUNK_ROWS)
    store.n_features = D
    batches = len(cut_batches(store, seconds_per_row(K, 1 + D + D * (D + 1) // 2)))
    nbytes = int(store.lengths.sum()) * store.row_nbytes
    counts = (2,) if smoke else (64, 256, 1000)
    print_table(
        f"Simulated workers of {THREADS} threads; a pass over {nbytes / 1e12:.0f} TB, "
        f"{batches:,} batches",
        ["workers", "measured batches", "CPU a batch", "CPU a pass", "pass at 1 GB/s each",
         "share", "pass at 100 GB/s", "share", "target", "reached"],
        [_line(workers, batches, nbytes, smoke) for workers in counts],
    )  # fmt: skip


def _line(workers: int, batches: int, nbytes: int, smoke: bool) -> Sequence[str]:
    tasks = THREADS * workers
    with asleep(workers, THREADS):
        cost = _batch_cpu(tasks, 0.1 if smoke else 2.0)
    own = cost * batches
    passes = nbytes / (A_WORKER * workers), nbytes / min(IN_ALL, A_WORKER * workers)
    shares = [own / each for each in passes]
    return [
        f"{workers:,}",
        f"{tasks:,}",
        seconds(cost),
        seconds(own),
        seconds(passes[0]),
        f"{shares[0]:.0%}",
        seconds(passes[1]),
        f"{shares[1]:.0%}",
        f"{TARGET:.0%}",
        against(shares[1], TARGET, True),
    ]


def _batch_cpu(tasks: int, pause: float) -> float:
    """Return the seconds of this process's CPUs for a batch; the smaller of two passes."""
    batches = tuple(Batch(i, i, i + 1, 2 * i, 2) for i in range(tasks))
    awake, asleep_rows = (
        Dataset(Sleeping(tasks, each), ALONE, batches, choose_executor(False))
        for each in (0.0, pause)
    )
    survey = survey_rows(awake, None, silence)
    eye = np.tile(np.eye(8), (K, 1, 1))
    means = np.random.default_rng(0).normal(size=(K, 8))
    parameters = Parameters("full", np.full(K, 1 / K), means, eye, eye)
    kernel: Any = choose_kernel(parameters, survey.mean, survey.half_range)
    spent = []
    for number in (1, 2):
        used = time.process_time()
        expect(TrainingSet(asleep_rows, survey, silence), [kernel], number)
        spent.append(time.process_time() - used)
    return min(spent) / tasks
