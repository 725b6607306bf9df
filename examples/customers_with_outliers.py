"""Customers with outliers: what a few wild rows do to a mixture, and ways to make room for them.

Three kinds of customers by income and visits, and one row in fifty that is anything: typing errors,
bots, test accounts. Plain components are drawn to these; a uniform component, contaminated or
Student-t ones are not, and tell which rows they are. Criteria choose among them.

python examples/customers_with_outliers.py [--rows 30000]
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from daskgmm import GaussianMixture

Array = NDArray[np.float64]

MEANS = np.array([[25.0, 4.0], [45.0, 12.0], [80.0, 6.0]])
DEVIATIONS = np.array([[5.0, 1.0], [8.0, 2.5], [10.0, 1.5]])
SHARES = (0.5, 0.3, 0.2)
OUTLIERS = 0.02

WAYS = {
    "plain": {},
    "noise": {"noise": True},
    "contaminated": {"tails": "contaminated"},
    "Student-t": {"tails": "t"},
}


def customers(rows: int) -> tuple[Array, NDArray[np.bool_]]:
    """Return incomes (1,000 a year) and visits (a month), (n, 2), and which rows are outliers."""
    random = np.random.default_rng(0)
    kinds = random.choice(3, size=rows, p=SHARES)
    x = random.normal(MEANS[kinds], DEVIATIONS[kinds])
    wild = random.random(rows) < OUTLIERS
    x[wild] = random.uniform([-200.0, -50.0], [600.0, 150.0], size=(int(wild.sum()), 2))
    return x, wild


def draw(x: Array, fits: dict[str, GaussianMixture]) -> None:
    """Draw the rows with the outliers that each fit tells, and its means."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    for axes, (name, mixture) in zip(figure.subplots(2, 2).flat, fits.items(), strict=True):
        outlying = mixture.outlier_proba(x) > 0.5 if WAYS[name] else np.zeros(len(x), bool)
        axes.scatter(*x[~outlying].T, s=2, c=mixture.predict(x[~outlying]), cmap="viridis")
        axes.scatter(*x[outlying].T, s=6, marker="x", color="tab:red", linewidths=0.6)
        axes.scatter(*mixture.means_.T, s=90, marker="+", color="black")
        axes.set(
            xlim=(-60, 200), ylim=(-20, 50), xlabel="income, 1,000 a year", ylabel="visits a month"
        )
        axes.set_title(f"{name}: BIC {mixture.bic(x):,.0f}")
    figure.savefig("customers.png", dpi=120)


def main() -> None:
    """Fit the ways, and print how far their means are off and what they tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=30_000)
    x, wild = customers(parser.parse_args().rows)
    fits = {}
    print(f"{len(x):,} customers, {wild.sum():,} outliers")
    for name, settings in WAYS.items():
        fits[name] = mixture = GaussianMixture(3, random_state=0, max_iter=500, **settings).fit(x)
        order = np.argsort(mixture.means_[:, 0])
        off = np.abs(mixture.means_[order] - MEANS) / DEVIATIONS
        line = f"{name:>12}: means off by {off.max():5.2f} deviations, BIC {mixture.bic(x):,.0f}"
        if settings:
            told = mixture.outlier_proba(x) > 0.5
            found, wrong = told[wild].mean(), told[~wild].mean()
            line += f", tells {found:.0%} of the outliers and {wrong:.2%} of the others"
        print(line)
    try:
        draw(x[:5000], fits)
        print("picture: customers.png")
    except ImportError:
        print("no picture without matplotlib")


if __name__ == "__main__":
    main()
