"""Claim: one EM iteration in memory takes a fraction of the time that the peers take.

The contestants run in turn in one process (ours, scikit-learn, ours, oneDAL, and again) with
equal threads, from the same complete start, on the same rows. Two numbers each: a whole
fit divided by its iterations (our survey pass and scikit-learn's last E-step are in it),
and the marginal iteration, (t(6) - t(1)) / 5, where only the iteration itself is left. Ratios are
medians over pairs of neighbours in time, so that a machine that slows down slows both.

How far apart the components are matters: on well-separated data scikit-learn is slowed
several times by subnormal responsibilities, oneDAL cuts them off, and we leave such pairs out.
So rows are drawn twice: overlapping (nothing can be left out) and apart. Of float32 rows ours is
asked for `precision="float32"`; the last of its iterations is in float64 all the same.
"""

import math
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, NamedTuple

from tests.benchmarks.children import answer, ask, request
from tests.benchmarks.contestants import Contestant, Timed, contestants
from tests.benchmarks.mixtures import Mixture
from tests.benchmarks.tables import against, print_table, seconds, times

FEW, MANY = 1, 6
"""Iterations of the two fits whose difference is the marginal iteration."""

ROWS_PER_COORDINATE = 10
"""Of a mean, in smoke mode: with fewer rows covariances are singular, which oneDAL refuses."""

SMOKE_FEATURES = 16
"""The most that a case of smoke mode has."""

KINDS = ((1, "float64"), (1, "float32"), (2, "float64"), (2, "float32"))
"""Numbers of threads and types of the rows; smoke mode takes the last."""

PEERS = ("scikit-learn", "oneDAL")

SPREADS = {"overlap": 6.0, "apart": 1.0}
"""Times that means are nearer to each other than those of `Mixture.random`."""

MOVED = 0.3
"""Standard deviations that the start's means are off, so that every iteration gains."""

ONEDAL = {"float64": 2.5, "float32": 1.0}
"""Times as fast as oneDAL, by type of the rows."""

Part = Callable[[Timed, Timed], float]


class Case(NamedTuple):
    """A shape, and how many times scikit-learn's speed it has to reach where rows are apart."""

    n: int
    d: int
    k: int
    structure: str
    scikit_learn: float

    def __str__(self) -> str:
        return f"{self.n:g} d={self.d} k={self.k} {self.structure}"


CASES = (
    Case(1_000_000, 2, 10, "full", 34),
    Case(1_000_000, 4, 16, "full", 29),
    Case(1_000_000, 7, 18, "full", 24),
    Case(300_000, 8, 8, "full", 12),
    Case(300_000, 16, 16, "full", 8),
    Case(100_000, 32, 64, "full", 6),
    Case(50_000, 64, 32, "full", 4),
    Case(100_000, 32, 64, "diag", 3.5),
    Case(200_000, 40, 256, "diag", 2),
)


class Pair(NamedTuple):
    """Two fits by us and, in turn with them, two by a peer: few and many iterations."""

    our_few: Timed
    their_few: Timed
    our_many: Timed
    their_many: Timed


def whole(few: Timed, many: Timed) -> float:
    """Return the seconds of an iteration, everything that a fit does included."""
    return many.seconds / many.iterations


def marginal(few: Timed, many: Timed) -> float:
    """Return the seconds that one more iteration takes; nan if there was none."""
    more = many.iterations - few.iterations
    return (many.seconds - few.seconds) / more if more else math.nan


def cases(smoke: bool) -> Iterator[Case]:
    """Yield the cases; in smoke mode small ones, that show whether it runs at all."""
    for case in CASES:
        k = case.k // 4
        if not smoke:
            yield case
        elif case.d <= SMOKE_FEATURES:
            yield case._replace(n=ROWS_PER_COORDINATE * k * case.d, k=k)


def main(smoke: bool = False) -> None:
    """Print two tables for each number of threads and type of the rows."""
    pairs = 1 if smoke else 5
    for threads, dtype in KINDS[-1:] if smoke else KINDS:
        asked = {"dtype": dtype, "pairs": pairs, "smoke": smoke, "threads": threads}
        found = list(ask("iteration", asked, threads))
        clock = "CPU time" if threads == 1 else "wall time"
        title = f"One EM iteration, {dtype} rows, {threads} thread(s), {clock}, {pairs} pair(s)"
        _print(f"{title}: the marginal iteration", marginal, found)
        _print(f"{title}: whole fit / iterations", whole, found)


def _print(title: str, part: Part, found: list[dict[str, Any]]) -> None:
    headers = ["n d k structure", "rows", "daskgmm", "ns/row/k", "in float32"]
    for peer in PEERS:
        headers += [peer, "ratio", "target", "reached"]
    print_table(title, [*headers, "oneDAL made"], [_row(part, one) for one in found])


def _row(part: Part, found: dict[str, Any]) -> list[str]:
    case, pairs = Case(*found["case"]), _pairs(found["pairs"])
    ours = median(part(pair.our_few, pair.our_many) for those in pairs.values() for pair in those)
    row = [str(case), found["spread"], seconds(ours), f"{ours / (case.n * case.k) * 1e9:.1f}"]
    row += [f"{next(iter(pairs.values()))[0].our_many.single} of {MANY}"]
    apart = found["spread"] == "apart"
    targets = (case.scikit_learn if apart else None, ONEDAL[found["dtype"]])
    for peer, target in zip(PEERS, targets, strict=True):
        if peer not in pairs:
            row += ["not installed", "-", "-", "-"]
            continue
        theirs = [part(pair.their_few, pair.their_many) for pair in pairs[peer]]
        mine = [part(pair.our_few, pair.our_many) for pair in pairs[peer]]
        ratio = median(t / m for t, m in zip(theirs, mine, strict=True))
        row += [seconds(median(theirs)), times(ratio), times(target), against(ratio, target)]
    made = str(pairs["oneDAL"][0].their_many.iterations) if "oneDAL" in pairs else "-"
    return [*row, f"{made} of {MANY}"]


def _pairs(sent: dict[str, list[Any]]) -> dict[str, list[Pair]]:
    return {
        peer: [Pair(*(Timed(*fit) for fit in pair)) for pair in those]
        for peer, those in sent.items()
    }


def _measure(
    case: Case, spread: str, asked: dict[str, Any], those: dict[str, Contestant]
) -> dict[str, Any]:
    mixture = Mixture.random(case.d, case.k).nearer(SPREADS[spread])
    rows = mixture.draw(case.n).astype(asked["dtype"])
    start = mixture.start(case.structure).moved(MOVED)
    ours, *peers = those
    for fit in those.values():
        fit(rows, start, FEW)
    pairs: dict[str, list[Pair]] = {peer: [] for peer in peers}
    for _ in range(asked["pairs"]):
        for peer in peers:
            turns = [(name, count) for count in (FEW, MANY) for name in (ours, peer)]
            pairs[peer].append(Pair(*(those[name](rows, start, count) for name, count in turns)))
    return {"case": case, "spread": spread, "dtype": asked["dtype"], "pairs": pairs}


if __name__ == "__main__":
    asked = request()
    fits = contestants(asked["threads"])
    for case in cases(asked["smoke"]):
        for spread in SPREADS:
            answer(_measure(case, spread, asked, fits))
