"""Claim: passes in float32 take little more than half of the time, and fits end where they did.

The first table is of the compiled kernel alone: CPU time of one thread over float32 rows in memory,
in turn in float64 and in float32, the least of some rounds. Rows overlap (each belongs to several
components) or are apart, where pairs without weight are left out. The second is of whole fits,
survey and starts on a sample included, which are in float64 either way.
"""

import time
import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from daskgmm import GaussianMixture
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.components.projection import projected
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.choice import SINGLE_TOLERANCE, fast_kernel, single_error
from daskgmm.gaussian.kernels.compiled.library import Library, library
from daskgmm.gaussian.kernels.compiled_backend import step_of
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.single import SingleKernel
from tests.benchmarks.mixtures import Mixture
from tests.benchmarks.tables import against, print_table, times

SHAPES = ((2, 10), (8, 8), (16, 16), (32, 16), (64, 32))
"""Features and components, those of the study of kernels."""

STRUCTURE_NAMES = ("full", "diag", "spherical", "tied")

NEARER = 6.0
"""Times that means are nearer to each other where components overlap."""

TARGET = 1.5
"""Times as fast as in float64, passes over rows that overlap."""

ENTRIES, ROUNDS = 400_000, 9

FITS = ((2_000_000, 4, 8, 4.0), (5_000_000, 8, 8, 4.0), (1_000_000, 16, 16, 3.0))
"""Rows, features, components, and times that means are nearer to each other."""


def main(smoke: bool = False) -> None:
    """Print both tables."""
    found = library()
    if found is None:
        print("No compiled kernel is installed: all passes are in float64.")
        return
    rows = list(_passes(found, smoke))
    headers = ["d, k", "structure", "rows", "float64 ns/row", "float32 ns/row", "ratio", "target"]
    print_table("A pass by the compiled kernel", [*headers, "reached", "error / tolerance"], rows)
    fits = [_fit(n // 1000 if smoke else n, *rest) for n, *rest in FITS]
    headers = ["rows, d, k", "iterations", "in float32", "CPU s", "ratio", "lower bound differs by"]
    print_table("A whole fit, float64 and float32", headers, fits)


def _passes(found: Library, smoke: bool) -> Iterator[list[str]]:
    for name in STRUCTURE_NAMES:
        for d, k in SHAPES[:2] if smoke else SHAPES:
            for overlap in (True, False):
                mixture = Mixture.random(d, k).nearer(NEARER if overlap else 1.0)
                rows = mixture.draw(384 if smoke else max(3840, ENTRIES // d)).astype(np.float32)
                kernels, error = _kernels(mixture, name, rows)
                exact, single = _least(found, kernels, rows, 1 if smoke else ROUNDS)
                ratio = exact / max(single, 1e-12)
                yield [
                    *(f"{d}, {k}", name, "overlap" if overlap else "apart"),
                    *(f"{seconds / len(rows) * 1e9:.1f}" for seconds in (exact, single)),
                    times(ratio),
                    *((f"{TARGET:g}x", against(ratio, TARGET)) if overlap else ("-", "-")),
                    f"{error / SINGLE_TOLERANCE:.2g}",
                ]


def _kernels(
    mixture: Mixture, name: str, rows: NDArray[np.float32]
) -> tuple[tuple[NaturalKernel, SingleKernel], float]:
    structure = STRUCTURES[name]
    given = mixture.covariances[: structure.n_covariances(len(mixture.weights))]
    covariances = structure.precision.of_matrices(given)
    parameters = projected(name, mixture.weights, mixture.means, covariances)
    assert parameters is not None, "the covariances are positive definite"
    center = rows.mean(0, dtype=np.float64)
    half_range = np.abs(rows - center).max(0)
    exact = fast_kernel(parameters, center)
    assert isinstance(exact, NaturalKernel), "the structures have one"
    error = single_error(parameters, center, half_range, structure)
    return (exact, SingleKernel.of_natural(exact, half_range)), error


def _least(
    found: Library,
    kernels: tuple[NaturalKernel, SingleKernel],
    rows: NDArray[np.float32],
    rounds: int,
) -> list[float]:
    """Return the least CPU seconds of a pass under each kernel."""
    steps, least = [step_of(found, kernel) for kernel in kernels], [np.inf, np.inf]
    for _ in range(rounds):
        for i, step in enumerate(steps):
            assert step is not None, "the library has both"
            began = time.thread_time()
            step.add(Block(rows))
            least[i] = min(least[i], time.thread_time() - began)
    return least


def _fit(n: int, d: int, k: int, nearer: float) -> list[str]:
    rows = Mixture.random(d, k).nearer(nearer).draw(n).astype(np.float32)
    ended, seconds = [], []
    for precision in ("float64", "float32"):
        began = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tiny sizes may not converge
            ended.append(GaussianMixture(k, random_state=0, precision=precision).fit(rows))
        seconds.append(time.process_time() - began)
    exact, single = ended
    return [
        f"{n:g}, {d}, {k}",
        f"{exact.n_iter_}, {single.n_iter_}",
        str(sum(single.history_["in_float32"])),
        ", ".join(f"{each:.1f}" for each in seconds),
        times(seconds[0] / seconds[1]),
        f"{single.lower_bound_ - exact.lower_bound_:.0e}",
    ]
