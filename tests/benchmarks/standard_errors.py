"""Claim: standard errors are those of a bootstrap of 999 samples, also where neighbours are alike.

On rows that are independent, of Gaussian clusters and of others, they are compared with resampled
rows; on rows in time, with resampled stretches of it. There "rows" are the standard errors as if
rows were independent. Each sample is fitted from the mixture of all rows. Both sides are estimates:
of 1,000 blocks to 2.2 %, of 999 samples too, more where scores have long tails.

Then how often intervals cover what rows were drawn from, and what the pass costs beside a fit in
memory, to the maximum.
"""

import time
import warnings
from statistics import median

import numpy as np

from daskgmm import GaussianMixture
from tests.benchmarks.tables import against, percent, print_table, seconds

NAMES = ("weights", "means", "covariances")

CLOSE = {"tol": 1e-7, "max_iter": 2000, "reg_covar": 0.0}
"""Settings of fits that end at the maximum."""

LEVEL = 0.95

COSTS = ((1_000_000, 4, 4, 1.5), (4_000_000, 4, 4, 1.5), (4_000_000, 8, 8, 1.0))
"""Rows, columns, components, and how far apart they are."""

STRETCH = 500
"""Rows of a stretch that is resampled as a whole; rows in time have forgotten after about 50."""


def main(smoke: bool = False) -> None:
    """Print the four tables."""
    folds, draws = (2, 2) if smoke else (999, 1000)
    shrink = 50 if smoke else 1
    _print_bootstrap(folds, shrink)
    _print_in_time(folds, shrink)
    _print_coverage(draws, 400 if smoke else 4000)
    _print_cost(shrink)


def _print_bootstrap(folds: int, shrink: int) -> None:
    rows = []
    for name, structure, x in _independent(20_000 // shrink):
        fitted = _fitted(x, _sizes(name), structure)
        found = _flat(fitted.standard_errors(x))
        spread = _bootstrap(fitted, x, folds, stretch=1)
        rows.append(_compared(f"{name}, {structure}", found, spread, 0.1))
    titles = ["rows", "median", "least", "largest", "reached"]
    print_table(f"Standard errors over those of {folds} samples of 20,000 rows", titles, rows)


def _print_in_time(folds: int, shrink: int) -> None:
    x = _in_time(100_000 // shrink, np.random.default_rng(5))
    fitted = _fitted(x, 2, "full")
    spread = _bootstrap(fitted, x, folds, STRETCH)
    found = _flat(fitted.standard_errors(x, blocks=200))
    single = _flat(fitted.standard_errors(x, np.ones(len(x)), weights_are="counts"))
    rows = [
        _compared("200 blocks", found, spread, 0.2),
        _compared("rows", single, spread, 0.2),
    ]
    titles = ["units", "median", "least", "largest", "reached"]
    print_table(f"Over those of {folds} samples of stretches of {STRETCH} rows", titles, rows)


def _compared(name: str, found: np.ndarray, spread: np.ndarray, within: float) -> list[str]:
    ratios = found / spread
    off = float(np.abs(ratios - 1).max())
    numbers = [f"{value:.3f}" for value in (median(ratios), ratios.min(), ratios.max())]
    return [name, *numbers, against(off, within, at_most=True)]


def _print_coverage(draws: int, n: int) -> None:
    truth = _truth()
    wanted = _values(truth)
    covered, refused = [], 0
    for seed in range(draws):
        x = _shuffled(truth.set_params(random_state=seed).sample(n)[0], seed)
        try:
            found = _refitted(truth, x).standard_errors(x).intervals(LEVEL)
        except ValueError:
            refused += 1
            continue
        ends = [getattr(found, name) for name in NAMES]
        low, high = (np.concatenate([each[side].ravel() for each in ends]) for side in (0, 1))
        covered.append((low <= wanted) & (wanted <= high))
    shares = np.mean(covered, axis=0)
    reached = shares.min() >= 0.93 and shares.max() <= 0.97
    row = [percent(LEVEL), f"{shares.mean():.3f}", f"{shares.min():.3f}", f"{shares.max():.3f}"]
    titles = ["level", "mean", "least", "largest", "refused", "reached"]
    row += [str(refused), "yes" if reached else "NO"]
    print_table(f"Coverage of {len(shares)} parameters, {draws} draws of {n} rows", titles, [row])


def _print_cost(shrink: int) -> None:
    rows = []
    for n, d, k, apart in COSTS:
        random = np.random.default_rng(d)
        means = random.normal(size=(k, d)) * apart
        x = means[random.integers(k, size=n // shrink)] + random.normal(size=(n // shrink, d))
        began = time.perf_counter()
        fitted = GaussianMixture(k, random_state=0, **CLOSE).fit(x)
        middle = time.perf_counter()
        fitted.standard_errors(x)
        ended = time.perf_counter()
        share = (ended - middle) / (middle - began)
        row = [f"{n // shrink:g} d={d} k={k} {apart:g}", str(fitted.n_iter_)]
        row += [seconds(middle - began), seconds(ended - middle), f"{share:.1%}"]
        rows.append([*row, against(share, 0.05, at_most=True)])
    titles = ["rows", "iterations", "fit", "standard errors", "share", "reached"]
    print_table("Time beside a fit, rows in memory", titles, rows)


def _independent(n: int) -> list[tuple[str, str, np.ndarray]]:
    random = np.random.default_rng(0)
    near = np.concatenate([random.normal(size=(n // 3, 1)), 2.5 + random.normal(size=(n // 2, 1))])
    shapes = [[[1.0, 0.5], [0.0, 1.0]], [[0.5, 0.0], [0.4, 1.5]], [[1.5, 0.0], [0.0, 0.4]]]
    centers = [[0.0, 0.0], [4.0, 1.0], [0.0, 5.0]]
    apart = [
        center + random.normal(size=(n // 3, 2)) @ shape
        for center, shape in zip(centers, shapes, strict=True)
    ]
    skewed = [
        center + random.gamma(4.0, 0.5, size=(n // 3, 2))
        for center in ([0.0, 0.0], [5.0, 1.0], [1.0, 6.0])
    ]
    return [
        ("overlapping", "full", _shuffled(near, 1)),
        ("apart", "full", _shuffled(np.concatenate(apart), 2)),
        ("skewed", "diag", _shuffled(np.concatenate(skewed), 3)),
    ]


def _sizes(name: str) -> int:
    return 2 if name == "overlapping" else 3


def _in_time(n: int, random: np.random.Generator) -> np.ndarray:
    """Return rows of a state that changes every 50 rows or so, beside noise that remembers."""
    state = np.cumsum(random.random(n) < 0.02) % 2
    x, steps = np.empty((n, 2)), random.normal(size=(n, 2)) * np.sqrt(1 - 0.8**2)
    last = np.zeros(2)
    for row in range(n):
        last = 0.8 * last + steps[row]
        x[row] = last
    return np.asarray(x + 4.0 * state[:, None])


def _shuffled(x: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(x)


def _truth() -> GaussianMixture:
    covariances = [[[1.0, 0.3], [0.3, 0.5]], [[0.6, -0.2], [-0.2, 1.2]]]
    return GaussianMixture.from_parameters([0.4, 0.6], [[0.0, 0.0], [2.5, 1.5]], covariances)


def _fitted(x: np.ndarray, k: int, structure: str) -> GaussianMixture:
    return GaussianMixture(k, covariance_type=structure, random_state=0, **CLOSE).fit(x)


def _refitted(
    first: GaussianMixture, x: np.ndarray, counts: np.ndarray | None = None
) -> GaussianMixture:
    """Return the fit of other rows, or other weights of them, from a mixture."""
    begin = {
        "weights_init": first.weights_,
        "means_init": first.means_,
        "precisions_init": first.precisions_,
    }
    mixture = GaussianMixture(
        len(first.weights_), covariance_type=first.covariance_type, **begin, **CLOSE
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mixture.fit(x, None, counts, weights_are=None if counts is None else "relative")


def _bootstrap(first: GaussianMixture, x: np.ndarray, folds: int, stretch: int) -> np.ndarray:
    """Return the standard deviations of the parameters of resampled rows, or stretches of rows."""
    random, n, found = np.random.default_rng(7), len(x), []
    for _ in range(folds):
        starts = random.integers(0, n, size=-(-n // stretch))
        rows = (starts[:, None] + np.arange(stretch)).ravel() % n
        counts = np.bincount(rows[:n], minlength=n).astype(float)
        found.append(_values(_refitted(first, x, counts)))
    return np.std(found, axis=0, ddof=1)


def _values(mixture: GaussianMixture) -> np.ndarray:
    parts = (getattr(mixture, f"{name}_") for name in NAMES)
    return np.concatenate([np.ravel(part) for part in parts])


def _flat(errors: object) -> np.ndarray:
    return np.concatenate([np.ravel(getattr(errors, name)) for name in NAMES])
