"""Claim: an iteration over rows with noise of their own is ten times as fast as row by row.

One thread, rows in memory, the pass alone, full covariances. Each row and component has a
covariance of its own to factorise: about d^3 / 3 multiplications beside the d^2 of a plain pass,
without a matrix product. So the ratio to a plain pass grows with d; noise that all rows share, and
variances of components and noise along the axes, are nearly as fast as a plain pass. The loop over
rows takes all components of a row at once, with NumPy's products and solvers.

The passes take turns; times are CPU seconds of the thread, and ratios medians over turns.
"""

import time
from collections.abc import Callable
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from daskgmm.companions import Companions
from daskgmm.gaussian import STRUCTURES, Parameters
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.deconvolution.kernel import RowNoiseKernel, row_noise_moments
from daskgmm.gaussian.deconvolution.shared import SharedNoiseKernel, shared_noise_moments
from daskgmm.gaussian.kernels.choice import choose_kernel
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from daskgmm.gaussian.kernels.workspace import small_buffers
from tests.benchmarks.mixtures import Mixture
from tests.benchmarks.tables import against, print_table, times

SIZES = ((100_000, 2, 3), (20_000, 5, 10), (5_000, 10, 10))
"""Rows, columns and components."""

LOOPED = 500
"""Rows of the loop, whose time for a row does not depend on their number."""

TARGET = 10.0
"""Times of a loop over rows to those of a pass."""


def main(smoke: bool = False) -> None:
    """Print the time of a pass with each kind of noise."""
    turns, shrink = (2, 20) if smoke else (7, 1)
    with threadpool_limits(1, user_api="blas"), small_buffers():
        rows = [_row(n // shrink, d, k, turns) for n, d, k in SIZES]
    print_table(
        f"A pass, one thread, {turns} turns",
        [
            "d k", "plain, ns/row/k", "shared noise", "diagonal in all", "variances",
            "covariances", "loop, ns/row/k", "loop / variances", "reached",
        ],
        rows,
    )  # fmt: skip


def _row(n: int, d: int, k: int, turns: int) -> list[str]:
    passes = _passes(n, d, k)
    spent: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(turns):
        for name, (rows, run) in passes.items():
            began = time.thread_time()
            run()
            spent[name].append((time.thread_time() - began) / rows / k)
    found = {name: median(each) for name, each in spent.items()}
    plain = found.pop("plain")
    loop = found.pop("loop") / found["variances"]
    looped = loop * found["variances"]
    ratios = [times(each / plain) for each in found.values()]
    return [
        f"{d} {k}", f"{1e9 * plain:.1f}", *ratios, f"{1e9 * looped:.0f}", times(loop),
        against(loop, TARGET),
    ]  # fmt: skip


def _passes(n: int, d: int, k: int) -> dict[str, tuple[int, Callable[[], object]]]:
    """Return what is timed, with the number of rows that it takes."""
    drawn, random = Mixture.random(d, k), np.random.default_rng(0)
    x, variances = drawn.draw(n), random.uniform(0.1, 1.0, (n, d))
    factors = 0.3 * random.normal(size=(n, d, d))
    covariances = (factors @ factors.transpose(0, 2, 1)).reshape(n, d * d)
    full = _parameters(drawn, "full")
    back_end, about = NumpyBackend(), (x.mean(0), np.abs(x - x.mean(0)).max(0))
    shared = SharedNoiseKernel.choose(full, variances[0], *about)

    def with_noise(parameters: Parameters, noise: np.ndarray) -> Callable[[], object]:
        kernel = RowNoiseKernel.about(parameters, noise.shape[1])
        block = Block(x, Companions(noise=noise))
        return lambda: row_noise_moments(back_end, [kernel], iter([block]), n)

    plain = choose_kernel(full, *about)
    looped = full.weights, full.means, full.covariances
    return {
        "plain": (n, lambda: back_end.moments([plain], iter([Block(x)]), n)),
        "shared": (n, lambda: shared_noise_moments(back_end, [shared], iter([Block(x)]), n)),
        "diagonal": (n, with_noise(_parameters(drawn, "diag"), variances)),
        "variances": (n, with_noise(full, variances)),
        "covariances": (n, with_noise(full, covariances)),
        "loop": (LOOPED, lambda: loop(x[:LOOPED], variances[:LOOPED], *looped)),
    }


def _parameters(drawn: Mixture, name: str) -> Parameters:
    structure = STRUCTURES[name]
    covariances = structure.precision.of_matrices(drawn.covariances)
    factors = structure.precision.factorise(covariances)
    return Parameters(name, drawn.weights, drawn.means, covariances, factors)


def loop(
    x: np.ndarray,
    noise: np.ndarray,
    weights: np.ndarray,
    means: np.ndarray,
    covariances: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the moments of an E-step as one writes it: a row at a time."""
    k, d = means.shape
    counts, first, second = np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d))
    for row, variances in zip(x, noise, strict=True):
        seen = covariances + np.diag(variances)
        gains = np.linalg.solve(seen, covariances).transpose(0, 2, 1)
        off = row - means
        scaled = np.linalg.solve(seen, off[:, :, None])[:, :, 0]
        joint = np.log(weights) - 0.5 * (off * scaled).sum(1) - 0.5 * np.linalg.slogdet(seen)[1]
        q = np.exp(joint - np.logaddexp.reduce(joint))
        b = means + (covariances @ scaled[:, :, None])[:, :, 0]
        counts += q
        first += q[:, None] * b
        left = covariances - gains @ covariances
        second += q[:, None, None] * (b[:, :, None] * b[:, None, :] + left)
    return counts, first, second
