"""Claim: the two matrix products of a tile run near the rate of this machine's dgemm.

One thread, float64. Tiles are taken through a pass by the library's own functions, in its
own buffers, and each step is timed where it happens, so with the caches as they are in a fit:

    copy         rows to a centred (d, b) tile
    statistics   the quadratic entries of T(z)
    product 1    Theta T, the log joint densities
    softmax      exponentials, their sums, the log-likelihood
    product 2    T Gamma^T, with the scaling by 1 / total and the addition to the sums

The rate they are compared with is that of a square dgemm of n=1024, about the most that BLAS
reaches here.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.numpy_backend import StackedExpectation
from daskgmm.gaussian.kernels.stack import Stack
from daskgmm.gaussian.kernels.tiles import fill_tiles
from daskgmm.gaussian.kernels.workspace import Workspace, small_buffers
from daskgmm.gaussian.parameters import Parameters
from tests.benchmarks.iteration import CASES, Case
from tests.benchmarks.mixtures import Mixture, Start
from tests.benchmarks.tables import against, percent, print_table, seconds

Array = NDArray[np.float64]

SQUARE = 1024

TARGETS = {(16, 16, "full"): 0.6, (32, 64, "full"): 0.7}
"""Share of the dgemm rate that both products together reach, by d, k and structure."""

STEPS = ("copy", "statistics", "product 1", "softmax", "product 2")


def main(smoke: bool = False) -> None:
    """Print the rates of the products and the share of each step."""
    repeats, shrink = (2, 100) if smoke else (7, 4)
    with threadpool_limits(1, user_api="blas"):
        rate = dgemm_rate(repeats)
        print(f"\ndgemm, n={SQUARE}, one thread: {rate / 1e9:.1f} GFLOP/s")
        found = [(case, *_fastest(case, repeats, shrink)) for case in CASES]
    _print_rates(rate, found)
    _print_steps(found)


def dgemm_rate(repeats: int) -> float:
    """Return the best rate of a square product, in operations a second."""
    one, other = np.random.default_rng(0).standard_normal((2, SQUARE, SQUARE))
    out, best = np.empty((SQUARE, SQUARE)), np.inf
    for _ in range(repeats + 1):
        began = time.perf_counter()
        np.matmul(one, other, out=out)
        best = min(best, time.perf_counter() - began)
    return 2 * SQUARE**3 / best


class Watch:
    """Seconds spent in each named step."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)

    def over(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time added to a step."""

        def timed(*arguments: Any) -> Any:
            began = time.perf_counter()
            result = function(*arguments)
            self.spent[name] += time.perf_counter() - began
            return result

        return timed


class Timed:
    """A covariance structure, or its statistic, that times how T(z) is filled."""

    def __init__(self, watched: Any, watch: Watch) -> None:
        self._watched, self._watch = watched, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._watched, name)

    @property
    def statistic(self) -> Any:
        """The statistic of a structure, watched."""
        return Timed(self._watched.statistic, self._watch)

    def filler(self, rows: Array, d: int, out: Array) -> Callable[[], None]:
        """Return what the statistic returns, timed."""
        return self._watch.over("statistics", self._watched.filler(rows, d, out))


@dataclass(frozen=True)
class TimedKernel(NaturalKernel):
    """The kernel itself, with a watch on what it calls."""

    watch: Watch

    def bind(self, work: Workspace, b: int) -> Any:
        """Return the kernel's tile, watched."""
        tile: Any = super().bind(work, b)
        add_to = tile.add_to
        tile._products = [self.watch.over("product 1", each) for each in tile._products]

        def add_to_timed(sums: Any) -> None:
            add_to(sums)
            tile._moments = [self.watch.over("product 2", each) for each in tile._moments]

        tile.add_to = add_to_timed
        return tile


def _fastest(case: Case, repeats: int, shrink: int) -> tuple[int, dict[str, float]]:
    """Return the rows, and the seconds of each step in the fastest of several passes."""
    mixture = Mixture.random(case.d, case.k)
    rows = mixture.draw(max(case.n // shrink, 4096))
    kernel = _kernel(mixture.start(case.structure), rows.mean(0))
    passes = [_timed_pass(kernel, rows) for _ in range(repeats)]
    return len(rows), min(passes, key=lambda spent: sum(spent.values()))


def _kernel(start: Start, center: Array) -> NaturalKernel:
    structure, shape = STRUCTURES[start.structure], start.means.shape
    covariances = structure.internal(start.covariances, *shape)
    factors = structure.precision.factorise(covariances)
    parameters = Parameters(start.structure, start.weights, start.means, covariances, factors)
    return NaturalKernel.of(parameters, center)


def _timed_pass(kernel: NaturalKernel, rows: Array) -> dict[str, float]:
    watch = Watch()
    with small_buffers(), kernel.workspace() as work:
        timed = {**vars(kernel), "structure": Timed(kernel.structure, watch)}
        step = StackedExpectation(Stack.of([TimedKernel(**timed, watch=watch)]), work)
        tiles = fill_tiles(iter([Block(rows)]), kernel.center, step.rows, step.weights)
        following, add = watch.over("copy", lambda: next(tiles, None)), watch.over("add", step.add)
        while (tile := following()) is not None:
            add(*tile)
    spent = watch.spent
    named = spent["statistics"] + spent["product 1"] + spent["product 2"]
    spent["softmax"] = spent.pop("add") - named
    return dict(spent)


def _print_rates(rate: float, found: list[tuple[Case, int, dict[str, float]]]) -> None:
    lines = []
    for case, n, spent in found:
        p = STRUCTURES[case.structure].n_statistics(case.d)
        work = 2.0 * p * case.k * n
        one, two = spent["product 1"], spent["product 2"]
        share = 2 * work / (one + two) / rate
        target = TARGETS.get((case.d, case.k, case.structure))
        rates = [f"{w / t / 1e9:.1f}" for w, t in ((work, one), (work, two), (2 * work, one + two))]
        goal = "-" if target is None else f"{target:.1f}"
        lines.append([str(case), str(p), *rates, f"{share:.2f}", goal, against(share, target)])
    headers = ["n d k structure", "p", "product 1", "product 2", "both", "of dgemm", "target"]
    print_table("The two products, GFLOP/s on one thread", [*headers, "reached"], lines)


def _print_steps(found: list[tuple[Case, int, dict[str, float]]]) -> None:
    lines = []
    for case, n, spent in found:
        total = sum(spent.values())
        shares = [percent(spent[name] / total) for name in STEPS]
        lines.append(
            [str(case), f"{total / n / case.k * 1e9:.1f}", seconds(total / n * 1e6), *shares]
        )
    headers = ["n d k structure", "ns/row/k", "1e6 rows", *STEPS]
    print_table("Where the time of a pass goes, one thread", headers, lines)


if __name__ == "__main__":
    main()
