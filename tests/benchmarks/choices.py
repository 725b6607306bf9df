"""Claims: a sweep chooses what is documented, and finds of each size what the best fit finds.

Choices    Small data sets of `tests.oracle.small_sets`, all settings by default: the size, the
           structure and the BIC that each seed chooses, whether components of it rest on a floor.
Sizes      The six data sets of whole fits: how much less likely, on all rows, the sweep's model of
           a size is than the best of ten starts of that size fitted alone. Those that were
           clearly beaten on the sample are counted too.

BENCHMARK_SEEDS=2 takes two seeds, BENCHMARK_SETS=iris,rare these data sets.
"""

import os
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

from threadpoolctl import threadpool_limits

from daskgmm import GaussianMixture, sweep
from daskgmm.em.events import PassEnded
from tests.benchmarks.datasets import DATA_SETS
from tests.benchmarks.tables import against, print_table, seconds
from tests.oracle.small_sets import SMALL_SETS

STRUCTURES = ("full", "tied", "diag", "spherical")

LARGEST = 9

ALLOWED_GAP = 1e-3
"""Nats a row that a model of a sweep may be below the fit of that size."""

CHOICES = (
    "data set", "seeds", "k", "structure", "BIC", "degenerate", "documented", "reached",
    "most time",
)  # fmt: skip

SIZES = (
    "data set", "k", "largest gap", f"above {ALLOWED_GAP}", "reached", "beaten there",
    "passes (median)", "CPU time (median)",
)  # fmt: skip


def main(smoke: bool = False) -> None:
    """Print both tables; seeds are shared out among as many processes as CPUs."""
    asked = os.environ.get("BENCHMARK_SEEDS")
    count = int(asked) if asked else 1 if smoke else 10
    names = os.environ.get("BENCHMARK_SETS", ",".join([*SMALL_SETS, *DATA_SETS])).split(",")
    small = ["few"] if smoke else [name for name in SMALL_SETS if name in names]
    large = ["rare"] if smoke else [name for name in DATA_SETS if name in names]
    with ProcessPoolExecutor(os.cpu_count(), get_context("forkserver"), _prepare) as pool:
        if small:
            choices(pool, small, 2 if smoke else LARGEST, range(count))
        if large:
            sizes(pool, large, 300 if smoke else None, range(count))


def _prepare() -> None:
    """Let this process use one thread, and be silent."""
    threadpool_limits(1)
    warnings.simplefilter("ignore")


class Choice(NamedTuple):
    """What a sweep chose by BIC."""

    k: int
    structure: str
    bic: float
    degenerate: int
    seconds: float


def choices(pool: Executor, names: Sequence[str], largest: int, seeds: Sequence[int]) -> None:
    """Print what is chosen for each small data set, seeds that agree together."""
    tasks = {name: [pool.submit(choice, name, largest, seed) for seed in seeds] for name in names}
    rows = []
    for name, of_name in tasks.items():
        found, answer = [task.result() for task in of_name], SMALL_SETS[name].answer
        kinds = Counter((one.k, one.structure, round(one.bic, 3)) for one in found)
        for (k, structure, bic), count in kinds.most_common():
            right = answer is None or (
                (k, structure) == answer[:2]
                and (answer.bic is None or abs(bic - answer.bic) < 1e-2)
            )
            same = [one for one in found if (one.k, one.structure) == (k, structure)]
            degenerate = max(one.degenerate for one in same)
            documented = "-" if answer is None else f"{answer.k} {answer.structure} {answer.bic}"
            reached = "yes" if right and not degenerate else "NO"
            took = seconds(max(one.seconds for one in same))
            kind = [name, str(count), str(k), structure, f"{bic:.4f}", str(degenerate)]
            rows.append([*kind, documented, reached, took])
    print_table(
        f"What sweeps of k=1 to {largest} and all structures choose, {len(seeds)} seed(s)",
        CHOICES,
        rows,
    )


def choice(name: str, largest: int, seed: int) -> Choice:
    """Return what a sweep with all defaults chooses."""
    began = time.perf_counter()
    found = sweep(SMALL_SETS[name].rows(), range(1, largest + 1), STRUCTURES, random_state=seed)
    best, table = found.best(), found.table
    place = next(i for i, model in enumerate(found.models) if model is best)
    took = time.perf_counter() - began
    kind = best.n_components, best.covariance_type
    return Choice(*kind, table["bic"][place], table["degenerate"][place], took)


class Sizes(NamedTuple):
    """What a sweep took, and by size how far below the fit alone its model is, nats per row."""

    passes: int
    seconds: float
    gaps: dict[int, float]
    stayed: tuple[int, ...]


def sizes(pool: Executor, names: Sequence[str], rows: int | None, seeds: Sequence[int]) -> None:
    """Print the largest gaps of each data set over the seeds."""
    tasks = {name: [pool.submit(of_sizes, name, rows, seed) for seed in seeds] for name in names}
    lines = []
    for name, of_name in tasks.items():
        found = [task.result() for task in of_name]
        worst = max(max(one.gaps.values(), default=0.0) for one in found)
        bad = sum(gap > ALLOWED_GAP for one in found for gap in one.gaps.values())
        passes = sorted(one.passes for one in found)[len(found) // 2]
        took = sorted(one.seconds for one in found)[len(found) // 2]
        lines.append(
            [
                name,
                ", ".join(map(str, _sizes(DATA_SETS[name].k))),
                f"{worst:.1e}",
                f"{bad} of {sum(len(one.gaps) for one in found)}",
                against(worst, ALLOWED_GAP, at_most=True),
                str(sum(len(one.stayed) for one in found)),
                str(passes),
                seconds(took),
            ]
        )
        print(name, *(f"{k}:{gap:.1e}" for one in found for k, gap in one.gaps.items()), flush=True)
    print_table(
        f"Models of a sweep below GaussianMixture(k, n_init=10), {len(seeds)} seed(s)",
        SIZES,
        lines,
    )


def _sizes(k: int) -> range:
    return range(k - 2, k + 2)


def of_sizes(name: str, rows: int | None, seed: int) -> Sizes:
    """Return how a sweep around the right size compares with fits of each size."""
    load, k = DATA_SETS[name]
    X, passes = load(rows), 0

    def listen(event: object) -> None:
        nonlocal passes
        passes += isinstance(event, PassEnded)

    began = time.process_time()
    found = sweep(X, _sizes(k), random_state=seed, listen=listen)
    took, table, gaps, stayed = time.process_time() - began, found.table, {}, []
    for size in _sizes(k):
        place = table["n_components"].index(size)
        if table["status"][place] != "fitted":
            stayed.append(size)
        alone = GaussianMixture(size, n_init=10, random_state=seed).fit(X).score(X)
        gaps[size] = alone - table["log_likelihood"][place]
    return Sizes(passes, took, gaps, tuple(stayed))
