"""Claim: a pass over rows with tails or noise takes at most 1.3 times one over Gaussians.

One thread, rows in memory, the pass alone, without reading, by each back end that is here.
Densities are made of the distances that the first product gives: a logarithm more for each row and
component with Student-t tails, an exponential more with contaminated ones, and a few sums. So the
ratio is that of these to the products, and falls with d. With tied covariances a plain pass needs
no products of pairs of features, as these are the same in each pass; with tails or noise they are
not. Components overlap: where they are far apart a plain pass may leave pairs of a row and a
component out that tails keep.

The passes take turns, plain, t, contaminated, noise, and again; times are CPU seconds of the
thread, and ratios medians over turns.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from daskgmm.gaussian import STRUCTURES, Parameters
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.components.projection import projected
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.backends import BACKENDS, default_backend
from daskgmm.gaussian.kernels.choice import choose_kernel
from daskgmm.gaussian.kernels.workspace import small_buffers
from tests.benchmarks.mixtures import Mixture
from tests.benchmarks.tables import against, print_table, times

CASES = ((400_000, 2, 10), (400_000, 4, 3), (100_000, 8, 8), (30_000, 16, 16), (10_000, 50, 20))
"""Rows, columns and components."""

NEAR = 0.25
"""Of the distances between means of `Mixture.random`."""

TYPES = ("full", "tied", "diag", "spherical")

NAMES = ("t", "contaminated", "noise")

TARGET = 1 / 1.3
"""Of the time of a plain pass to that of one with tails."""


def main(smoke: bool = False) -> None:
    """Print the time of a pass for each kind of components."""
    turns, shrink = (2, 100) if smoke else (15, 1)
    headers = [cell for name in NAMES for cell in (name, "reached")]
    with threadpool_limits(1, user_api="blas"), small_buffers():
        for name in dict.fromkeys((default_backend(), "numpy")):
            rows = [row for case in CASES for row in _rows(BACKENDS[name], *case, turns, shrink)]
            title = f"A pass by {name}, one thread, {turns} turns"
            print_table(title, ["n d k structure", "plain, ns/row/k", *headers], rows)


def _rows(backend: Backend, n: int, d: int, k: int, turns: int, shrink: int) -> Iterator[list[str]]:
    drawn = _near(d, k)
    x = drawn.draw(n // shrink)
    for structure in TYPES:
        spent = _spent(backend, drawn, structure, x, turns)
        yield _row(f"{n:g} d={d} k={k} {structure}", spent)


def _near(d: int, k: int) -> Mixture:
    drawn = Mixture.random(d, k)
    return replace(drawn, means=NEAR * drawn.means)


def _row(title: str, spent: dict[str, list[float]]) -> list[str]:
    row = [title, f"{1e9 * median(spent['plain']):.1f}"]
    for name in NAMES:
        pairs = zip(spent[name], spent["plain"], strict=True)
        ratio = median(one / plain for one, plain in pairs)
        row += [times(ratio), against(1 / ratio, TARGET)]
    return row


def _spent(
    backend: Backend, drawn: Mixture, structure: str, x: np.ndarray, turns: int
) -> dict[str, list[float]]:
    """Return the seconds of each pass, for a row and a component."""
    k, center = len(drawn.weights), x.mean(0)
    half_range = np.abs(x - center).max(0)
    kernels = {
        name: choose_kernel(parameters, center, half_range)
        for name, parameters in _mixtures(drawn, structure, half_range).items()
    }
    spent: dict[str, list[float]] = {name: [] for name in kernels}
    for _ in range(turns):
        for name, kernel in kernels.items():
            began = time.thread_time()
            backend.moments([kernel], iter([Block(x)]), len(x))
            spent[name].append((time.thread_time() - began) / len(x) / k)
    return spent


def _mixtures(drawn: Mixture, structure_name: str, half_range: np.ndarray) -> dict[str, Parameters]:
    k, structure = len(drawn.weights), STRUCTURES[structure_name]
    matrices = drawn.covariances[: structure.n_covariances(k)]
    covariances = structure.precision.of_matrices(matrices)
    plain = projected(structure_name, drawn.weights, drawn.means, covariances)
    assert plain is not None, "the covariances are positive definite"
    share, log_volume = 0.05, float(np.log(2 * half_range).sum())
    clean, inflation = np.full(k, 0.9), np.full(k, 10.0)
    return {
        "plain": plain,
        "t": replace(plain, degrees=np.linspace(2.0, 30.0, k)),
        "contaminated": replace(plain, clean=clean, inflation=inflation),
        "noise": replace(
            plain, weights=(1 - share) * plain.weights, noise_weight=share, log_volume=log_volume
        ),
    }
