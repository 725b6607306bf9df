"""
Customers with outliers
=======================

Three kinds of customers differ in income and visits. One row in fifty is an outlier:
a typing error, a bot, a test account. Outliers distort plain components. A uniform
noise component, contaminated components and Student-t components resist them and
report which rows they are. BIC chooses among the four models.
"""

import matplotlib.pyplot as plt
import numpy as np

from daskgmm import GaussianMixture

MEANS = np.array([[25.0, 4.0], [45.0, 12.0], [80.0, 6.0]])
DEVIATIONS = np.array([[5.0, 1.0], [8.0, 2.5], [10.0, 1.5]])

# %%
# Income in thousands per year, and visits per month.

random = np.random.default_rng(0)
kinds = random.choice(3, size=30_000, p=(0.5, 0.3, 0.2))
x = random.normal(MEANS[kinds], DEVIATIONS[kinds])
wild = random.random(len(x)) < 0.02
x[wild] = random.uniform([-200.0, -50.0], [600.0, 150.0], size=(int(wild.sum()), 2))
print(f"{len(x):,} customers, {wild.sum():,} outliers")

# %%
# The same mixture is fitted in four ways.

ways = {
    "plain": {},
    "noise": {"noise": True},
    "contaminated": {"tails": "contaminated"},
    "Student-t": {"tails": "t"},
}
fits = {}
for name, settings in ways.items():
    fits[name] = mixture = GaussianMixture(
        3, random_state=0, max_iter=500, **settings
    ).fit(x)
    mixture.sort_components()  # by weight, so that colours agree
    order = np.argsort(mixture.means_[:, 0])
    off = np.abs(mixture.means_[order] - MEANS) / DEVIATIONS
    line = f"{name:>12}: BIC {mixture.bic(x):,.0f}, means off by {off.max():5.2f} sd"
    if settings:
        told = mixture.outlier_proba(x) > 0.5
        line += f", finds {told[wild].mean():.0%} of them"
        line += f" and flags {told[~wild].mean():.2%} of the rest"
    print(line)

# %%
# Orange crosses are rows whose probability of being an outlier exceeds 50 %. The
# plain mixture spent one component on the outliers.

figure, grid = plt.subplots(
    2, 2, figsize=(9, 7), sharex=True, sharey=True, layout="constrained"
)
some = x[:5000]
for axes, (name, mixture) in zip(grid.flat, fits.items(), strict=True):
    outlying = (
        mixture.outlier_proba(some) > 0.5 if ways[name] else np.zeros(len(some), bool)
    )
    labels = mixture.predict(some[~outlying])
    axes.scatter(*some[~outlying].T, s=2, c=labels, cmap="viridis")
    axes.scatter(*some[outlying].T, s=8, marker="x", color="tab:orange", linewidths=0.7)
    axes.scatter(*mixture.means_.T, s=90, marker="+", color="black")
    axes.set(
        xlim=(-60, 230), ylim=(-20, 60), title=f"{name}: BIC {mixture.bic(x):,.0f}"
    )
for axes in grid[1]:
    axes.set_xlabel("income, 1,000 a year")
for axes in grid[:, 0]:
    axes.set_ylabel("visits a month")
plt.show()
