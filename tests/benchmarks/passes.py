"""Claims: a fit takes fewer passes over the rows than scikit-learn's, and ends no worse;
acceleration never costs a pass, and saves most of them.

Whole fits    From nothing to the end, medians over seeds. A pass reads all rows once. Of
              scikit-learn we count one for each centre of k-means++, each iteration of Lloyd
              and each of EM. Ours are all that are told to listeners. The start's work on a
              sample in memory is none, even if the sample is all rows.
Acceleration  From the same start, on few rows: passes until 1e-6 nats per row are left to the end,
              which is the better one of both ends where they are the same maximum. Without
              `reg_covar`, as what it changes depends on the way; so likelihoods must never fall.

The targets are what a prototype of the method reached. BENCHMARK_SEEDS=2 takes two seeds.
"""

import os
import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from statistics import geometric_mean, median
from typing import Any, NamedTuple

import sklearn.mixture
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from daskgmm import GaussianMixture
from daskgmm.em.events import PassEnded
from tests.benchmarks.datasets import DATA_SETS
from tests.benchmarks.tables import against, print_table, times

SLACK = 1e-6
"""Nats a row by which a median of log likelihoods may be lower and count as reached."""

FEW_ROWS = 8_000

NEAR = 1e-6
"""Nats a row from the end: near enough."""

SAME = 1e-5
"""Nats a row between two ends: beyond, they are other maxima."""

ROUNDING = 1e-12
"""Of the log likelihood: a fall by less is none."""

SHARE = 1 / 4
"""Of the passes of plain EM, that accelerated EM is to take in the geometric mean."""


def main(smoke: bool = False) -> None:
    """Print the tables of both claims; seeds are shared out among as many processes as CPUs."""
    asked = os.environ.get("BENCHMARK_SEEDS")
    few, many = (int(asked),) * 2 if asked else (1, 1) if smoke else (3, 8)
    names = ["sixteen", "rare"] if smoke else list(DATA_SETS)
    with ProcessPoolExecutor(os.cpu_count(), get_context("forkserver"), _prepare) as pool:
        whole_fits(pool, names, 300 if smoke else None, range(many))
        acceleration(pool, names, 300 if smoke else FEW_ROWS, range(few), smoke)


def _prepare() -> None:
    """Let this process use one thread, and be silent."""
    threadpool_limits(1)
    warnings.simplefilter("ignore")


def _label(name: str, rows: int | None) -> str:
    load, k = DATA_SETS[name]
    n, d = load(rows).shape
    return f"{name} {n:,} d={d} k={k}"


class Whole(NamedTuple):
    """What a whole fit took, and the mean log likelihood that it ended with."""

    passes: int
    log_likelihood: float


def _scikit_learn(X: NDArray[Any], k: int, seed: int, **settings: Any) -> Whole:
    # The same k-means as inside of the mixture, which does not tell its iterations.
    lloyd = KMeans(k, n_init=1, random_state=seed).fit(X).n_iter_
    mixture = sklearn.mixture.GaussianMixture(k, random_state=seed, **settings).fit(X)
    return Whole(k + lloyd + mixture.n_iter_, mixture.score(X))


def _ours(X: NDArray[Any], k: int, seed: int, **settings: Any) -> Whole:
    passes = 0

    def listen(event: Any) -> None:
        nonlocal passes
        passes += isinstance(event, PassEnded)

    mixture = GaussianMixture(k, random_state=seed, **settings).fit(X, listen=listen)
    return Whole(passes, mixture.score(X))


class Contestant(NamedTuple):
    """A way to fit, and what it is to reach: passes in all, and whose log likelihood."""

    fit: Callable[..., Whole]
    most_passes: int | None = None
    no_worse_than: str | None = None


CONTESTANTS = {
    "scikit-learn": Contestant(_scikit_learn),
    "scikit-learn, tol=1e-6": Contestant(partial(_scikit_learn, tol=1e-6, max_iter=1000)),
    "daskgmm": Contestant(_ours, 100, "scikit-learn, tol=1e-6"),
    "daskgmm, tol=1e-2": Contestant(partial(_ours, tol=1e-2), 44, "scikit-learn"),
}


def whole_fits(
    pool: Executor, names: Sequence[str], rows: int | None, seeds: Sequence[int]
) -> None:
    """Passes and log likelihoods, medians over seeds."""
    found = {}
    tasks = {name: [pool.submit(_whole, name, rows, seed) for seed in seeds] for name in names}
    for name, of_name in tasks.items():
        label, fits = _label(name, rows), [task.result() for task in of_name]
        found[label] = {who: _median(fit[who] for fit in fits) for who in CONTESTANTS}
        print(label, *(f"{one.passes:g}" for one in found[label].values()), flush=True)
    title = f"Whole fits, medians of {len(seeds)} seed(s)"
    _print_passes(f"{title}: full passes", found)
    _print_likelihoods(f"{title}: mean log likelihood at the end, nats per row", found)


def _whole(name: str, rows: int | None, seed: int) -> dict[str, Whole]:
    load, k = DATA_SETS[name]
    X = load(rows)
    return {who: contestant.fit(X, k, seed) for who, contestant in CONTESTANTS.items()}


def _median(fits: Iterable[Whole]) -> Whole:
    passes, log_likelihoods = zip(*fits, strict=True)
    return Whole(median(passes), median(log_likelihoods))


Found = dict[str, dict[str, Whole]]


def _print_passes(title: str, found: Found) -> None:
    sums = [sum(those[who].passes for those in found.values()) for who in CONTESTANTS]
    targets = [contestant.most_passes for contestant in CONTESTANTS.values()]
    lines = [
        [label, *(f"{one.passes:g}" for one in those.values())] for label, those in found.items()
    ]
    lines.append(["sum", *(f"{value:g}" for value in sums)])
    lines.append(["target", *("-" if target is None else f"{target}" for target in targets)])
    reached = [against(value, target, True) for value, target in zip(sums, targets, strict=True)]
    print_table(title, ["data set", *CONTESTANTS], [*lines, ["reached", *reached]])


def _print_likelihoods(title: str, found: Found) -> None:
    headers, lines = ["data set"], [[label] for label in found]
    for who, (_, _, peer) in CONTESTANTS.items():
        headers += [who] if peer is None else [who, f"as good as {peer}"]
        for line, those in zip(lines, found.values(), strict=True):
            line.append(f"{those[who].log_likelihood:.6f}")
            if peer is not None:
                least = those[peer].log_likelihood - SLACK
                line.append(against(those[who].log_likelihood, least))
    print_table(title, headers, lines)


class Race(NamedTuple):
    """The log likelihoods that plain and accelerated EM found from one start, pass by pass."""

    plain: list[float]
    accelerated: list[float]

    @property
    def same_end(self) -> bool:
        """Whether both ended in the same maximum."""
        return abs(self.plain[-1] - self.accelerated[-1]) < SAME

    @property
    def passes(self) -> tuple[int, int]:
        """How many passes each took to come near its end; all, if it never did."""
        best = max(self.plain[-1], self.accelerated[-1])
        ends = (best, best) if self.same_end else (self.plain[-1], self.accelerated[-1])
        return _until(self.plain, ends[0]), _until(self.accelerated, ends[1])

    @property
    def ratio(self) -> float:
        """Passes of accelerated EM, in those of plain EM."""
        plain, accelerated = self.passes
        return accelerated / plain

    @property
    def falls(self) -> int:
        """How often the accelerated log likelihood fell by more than rounding."""
        pairs = zip(self.accelerated, self.accelerated[1:], strict=False)
        return sum(after < before - ROUNDING * max(1.0, abs(before)) for before, after in pairs)


def _until(log_likelihoods: list[float], end: float) -> int:
    near = (number for number, value in enumerate(log_likelihoods, 1) if value >= end - NEAR)
    return next(near, len(log_likelihoods))


def acceleration(
    pool: Executor, names: Sequence[str], rows: int, seeds: Sequence[int], smoke: bool
) -> None:
    """Passes of plain and accelerated EM to the same end."""
    most = (10, 5) if smoke else (3000, 1000)
    tasks = {
        f"{_label(name, rows)}, seed {seed}": pool.submit(_race, name, rows, seed, most)
        for name in names
        for seed in seeds
    }
    races = {label: task.result() for label, task in tasks.items()}
    lines = [_race_line(label, race) for label, race in races.items()]
    same = [race for race in races.values() if race.same_end]
    lines.append(_mean_line("geometric mean", races.values()))
    lines.append(_mean_line(f"of the {len(same)} with the same end", same))
    print_table(
        f"Passes until {NEAR:g} nats per row are left, from the same start",
        ["data set", "plain", "accelerated", "x plain", "target", "reached", "ends", "fell"],
        lines,
    )


def _race(name: str, rows: int, seed: int, most: tuple[int, int]) -> Race:
    load, k = DATA_SETS[name]
    X = load(rows)
    start = sklearn.mixture.GaussianMixture(k, max_iter=0, random_state=seed).fit(X)
    settings = {
        "weights_init": start.weights_,
        "means_init": start.means_,
        "precisions_init": start.precisions_,
        "tol": 0,
        "reg_covar": 0,
    }

    def run(way: str | None, passes: int) -> list[float]:
        mixture = GaussianMixture(k, acceleration=way, max_iter=passes, **settings)
        return mixture.fit(X).lower_bounds_

    return Race(run(None, most[0]), run("auto", most[1]))


def _race_line(label: str, race: Race) -> list[str]:
    plain, accelerated = race.passes
    return [
        label,
        f"{plain}",
        f"{accelerated}",
        times(race.ratio),
        "1x",
        against(race.ratio, 1, True),
        "same" if race.same_end else f"{race.accelerated[-1] - race.plain[-1]:+.1e}",
        f"{race.falls} times" if race.falls else "never",
    ]


def _mean_line(label: str, races: Collection[Race]) -> list[str]:
    mean = geometric_mean([race.ratio for race in races]) if races else None
    target = [times(SHARE), against(mean, SHARE, True)]
    return [label, "-", "-", times(mean), *target, "-", "-"]
