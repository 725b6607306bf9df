"""Claim: a pass over rows with tails takes at most 1.3 times one over Gaussian components.

One thread, rows in memory, the pass alone, without reading. Densities are made of the distances
that the first product gives: a logarithm more for each row and component with Student-t tails, an
exponential more with contaminated ones, and a few sums. So the ratio is that of these to the
products, and falls with d.

The passes take turns, plain, t, contaminated, and again; ratios are medians over turns.
"""

import time
from dataclasses import replace
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from daskgmm.gaussian import STRUCTURES, Parameters
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.choice import choose_kernel
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from daskgmm.gaussian.kernels.workspace import small_buffers
from daskgmm.gaussian.projection import projected
from tests.benchmarks.mixtures import Mixture
from tests.benchmarks.tables import against, print_table, times

CASES = ((400_000, 2, 3), (100_000, 10, 10), (20_000, 50, 20))
"""Rows, columns and components."""

TYPES = ("full", "diag", "tied")

TARGET = 1 / 1.3
"""Of the time of a plain pass to that of one with tails."""


def main(smoke: bool = False) -> None:
    """Print the time of a pass for each kind of components."""
    turns, shrink = (2, 100) if smoke else (9, 1)
    rows = []
    with threadpool_limits(1, user_api="blas"), small_buffers():
        for n, d, k in CASES:
            drawn = Mixture.random(d, k)
            x = drawn.draw(n // shrink)
            for structure in TYPES:
                rows.append(
                    _row(f"{n:g} d={d} k={k} {structure}", _spent(drawn, structure, x, turns))
                )
    print_table(
        f"A pass, one thread, {turns} turns",
        ["n d k structure", "plain, ns/row/k", "t", "reached", "contaminated", "reached"],
        rows,
    )


def _row(title: str, spent: dict[str, list[float]]) -> list[str]:
    row = [title, f"{1e9 * median(spent['plain']):.1f}"]
    for name in ("t", "contaminated"):
        pairs = zip(spent[name], spent["plain"], strict=True)
        ratio = median(one / plain for one, plain in pairs)
        row += [times(ratio), against(1 / ratio, TARGET)]
    return row


def _spent(drawn: Mixture, structure: str, x: np.ndarray, turns: int) -> dict[str, list[float]]:
    """Return the seconds of each pass, for a row and a component."""
    k, center = len(drawn.weights), x.mean(0)
    half_range = np.abs(x - center).max(0)
    kernels = {
        name: choose_kernel(parameters, center, half_range)
        for name, parameters in _mixtures(drawn, structure).items()
    }
    spent: dict[str, list[float]] = {name: [] for name in kernels}
    for _ in range(turns):
        for name, kernel in kernels.items():
            began = time.perf_counter()
            NumpyBackend().moments([kernel], iter([Block(x, None)]), len(x))
            spent[name].append((time.perf_counter() - began) / len(x) / k)
    return spent


def _mixtures(drawn: Mixture, structure_name: str) -> dict[str, Parameters]:
    k, structure = len(drawn.weights), STRUCTURES[structure_name]
    matrices = drawn.covariances[: structure.n_covariances(k)]
    covariances = structure.precision.of_matrices(matrices)
    plain = projected(structure_name, drawn.weights, drawn.means, covariances)
    assert plain is not None, "the covariances are positive definite"
    clean, inflation = np.full(k, 0.9), np.full(k, 10.0)
    return {
        "plain": plain,
        "t": replace(plain, degrees=np.linspace(2.0, 30.0, k)),
        "contaminated": replace(plain, clean=clean, inflation=inflation),
    }
