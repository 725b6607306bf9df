"""Claim: drift(X) rejects 4 to 6 % of stationary sets at 5 %, and sees a shift of 0.2 sd.

The mixtures are fitted, each to rows of its own, and tested on sets that it has not seen: of other
sizes, as many as the rows of the fit, rows that resemble their neighbours (AR(1) with a correlation
of 0.7 of each coordinate within its component, whose labels are independent) and rows whose density
is no mixture of Gaussians. The shift is of one feature of the lightest component. Then: labels that
`align_to` keeps over fits to bootstrap samples, and the level and power of the bootstrap
likelihood-ratio test on small sets. BENCHMARK_SETS=200 takes so many sets instead of 2,000.
"""

import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from threadpoolctl import threadpool_limits

from daskgmm import GaussianMixture, likelihood_ratio_test
from tests.benchmarks.tables import print_table

Array = NDArray[np.float64]

SETS, REFITS, TESTED = 2_000, 100, 100

WEIGHTS = np.array([0.45, 0.35, 0.2])

CENTRES = 2.5 * np.array([[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0]])

MIX = np.array([[1.0, 0.5, 0.0, 0.0], [0.0, 1.0, 0.3, 0.0], [0.0, 0.0, 1.0, 0.0], [0, 0, 0, 2.0]])

PER_FIT = 20
"""Sets that are tested against one fit."""


class Case(NamedTuple):
    """Sets of n rows, against mixtures that were fitted to `fitted` rows."""

    n: int
    fitted: int
    correlation: float = 0.0
    tails: bool = False
    shift: float = 0.0
    of_all: float = 1.0
    """Part of the sets that are drawn."""


CASES = {
    "n=2,000": Case(2_000, 200_000),
    "n=300": Case(300, 30_000),
    "as many rows as fitted, 5,000": Case(5_000, 5_000),
    "n=100,000": Case(100_000, 1_000_000, of_all=0.1),
    "AR(1) 0.7, n=20,000": Case(20_000, 400_000, correlation=0.7, of_all=0.25),
    "long tails, n=5,000": Case(5_000, 200_000, tails=True),
    "shift of 0.2 sd, n=100,000": Case(100_000, 1_000_000, shift=0.2, of_all=0.05),
    "shift of 0.2 sd, n=2,000 (no target)": Case(2_000, 200_000, shift=0.2, of_all=0.25),
}


def drawn(case: Case, n: int, random: np.random.Generator, shift: float = 0.0) -> Array:
    """Return rows (n, 4) of three components that overlap."""
    labels = random.choice(3, n, p=WEIGHTS)
    z = random.normal(size=(n, 4))
    if case.tails:
        z = random.standard_t(5, size=(n, 4))
    if case.correlation:
        step = np.sqrt(1 - case.correlation**2)
        z = np.asarray(lfilter([step], [1.0, -case.correlation], z, axis=0))
    x = CENTRES[labels] + z @ MIX
    x[labels == 2, 3] += 2.0 * shift  # that column has a standard deviation of 2
    return x


def main(smoke: bool = False) -> None:
    """Print rejection rates; sets are shared out among processes."""
    sets = 20 if smoke else int(os.environ.get("BENCHMARK_SETS", SETS))
    with ProcessPoolExecutor(os.cpu_count(), get_context("forkserver"), _prepare) as pool:
        _drift(pool, sets, smoke)
        refits = 2 if smoke else REFITS
        kept = list(pool.map(_labels_kept, range(refits)))
        title = f"align_to over {refits} fits to bootstrap samples of 2,000 rows"
        lines = [["labels kept", f"{sum(kept)} of {refits}"]]
        print_table(title, ["", "fits"], lines)
        _likelihood_ratios(pool, 2 if smoke else TESTED, 3 if smoke else 19)


def _drift(pool: ProcessPoolExecutor, sets: int, smoke: bool) -> None:
    lines = []
    for name, case in CASES.items():
        if smoke:
            case = case._replace(n=min(case.n, 1_000), fitted=min(case.fitted, 5_000))
        fits = max(1, int(sets * case.of_all) // PER_FIT)
        found = np.concatenate(list(pool.map(_p_values, [case] * fits, range(fits))))
        rates = [f"{(found[:, j] < 0.05).mean():.1%}" for j in range(4)]
        wanted = "4 to 6 %" if not case.shift else "> 95 %" if "target" not in name else ""
        lines.append([name, f"{len(found):,}", *rates, wanted])
        print(*lines[-1], flush=True)
    headers = ["sets", "tested", "all", "components", "features", "each", "target of all"]
    print_table("Rejected at 5 %", headers, lines)


def _prepare() -> None:
    """Let this process use one thread, and be silent."""
    threadpool_limits(1)
    warnings.simplefilter("ignore")


def _fit(x: Array, seed: int, **settings: object) -> GaussianMixture:
    start = {"weights_init": WEIGHTS, "means_init": CENTRES, **settings}
    start.setdefault("precisions_init", [np.linalg.inv(MIX.T @ MIX)] * 3)
    return GaussianMixture(3, tol=1e-6, max_iter=1000, random_state=seed, **start).fit(x)


def _p_values(case: Case, fit: int) -> Array:
    """Return p values of sets against one fit, (sets, 4): of all, and the smallest adjusted."""
    random = np.random.default_rng((fit, case.n))
    mixture = _fit(drawn(case, case.fitted, random), fit)
    rows = []
    for _ in range(PER_FIT if case.fitted > case.n else 2):
        found = mixture.drift(drawn(case, case.n, random, case.shift))
        each = np.nanmin(found.p_values), np.nanmin(found.weight_p_values)
        smallest = found.component_p_values.min(), found.feature_p_values.min(), min(each)
        rows.append([found.p_value, *smallest])
    return np.array(rows)


def _labels_kept(seed: int) -> bool:
    """Return whether a fit to a bootstrap sample, aligned, has each component near its own."""
    random = np.random.default_rng(0)
    x = drawn(CASES["n=2,000"], 2_000, random)
    reference = GaussianMixture(3, tol=1e-4, random_state=0, n_init=2).fit(x)
    random = np.random.default_rng(1 + seed)
    sample = x[random.integers(len(x), size=len(x))]
    other = GaussianMixture(3, tol=1e-4, random_state=1 + seed, n_init=2).fit(sample)
    ours, theirs = reference.predict(x), other.align_to(reference).predict(x)
    pairs = np.array([[((ours == i) & (theirs == j)).sum() for j in range(3)] for i in range(3)])
    return bool((pairs.argmax(axis=1) == np.arange(3)).all())


def _likelihood_ratios(pool: ProcessPoolExecutor, tests: int, bootstraps: int) -> None:
    lines = []
    for name, apart in {"one Gaussian": 0.0, "two, 3 sd apart": 3.0}.items():
        given = [apart] * tests, range(tests), [bootstraps] * tests
        found = np.array(list(pool.map(_blrt, *given)))
        rate = f"{(found <= 0.05 + 1e-9).mean():.0%}"
        lines.append([name, f"{tests}", rate, "> 95 %" if apart else "5 %"])
        print(*lines[-1], flush=True)
    title = f"Bootstrap likelihood-ratio test of 1 against 2, 150 rows, {bootstraps} sets"
    print_table(title, ["rows of", "tested", "rejected at 5 %", "target"], lines)


def _blrt(apart: float, seed: int, bootstraps: int) -> float:
    random = np.random.default_rng((seed, 7))
    x = random.normal(size=(150, 2))
    x[:75, 0] += apart
    estimator = GaussianMixture(tol=1e-3, init_params="k-means++", acceleration=None, n_init=3)
    return likelihood_ratio_test(x, 1, bootstraps, seed, estimator=estimator).p_value


if __name__ == "__main__":
    main()
