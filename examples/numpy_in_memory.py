"""
Rows in memory, as in scikit-learn
==================================

The interface is the one of ``GaussianMixture`` in scikit-learn. Weights of rows are
new here.
"""

import matplotlib.pyplot as plt
import numpy as np

from daskgmm import GaussianMixture, plot

# %%
# 200,000 rows in three clusters, and a mixture of three components.

random = np.random.default_rng(0)
centres = np.array([[-4.0, 0.0], [0.0, 3.0], [4.0, -1.0]])
x = centres[random.integers(0, 3, 200_000)] + random.normal(size=(200_000, 2))

mixture = GaussianMixture(n_components=3, random_state=0).fit(x)
print(f"converged after {mixture.n_iter_} iterations, BIC {mixture.bic(x):.0f}")
print("means\n", mixture.means_.round(2))
print("first labels", mixture.predict(x[:5]))

# %%
# Ellipses hold 50 % and 90 % of a component; grey shows the density of the rows.

axes = plot.components(mixture, x)

# %%
# The weight of a row is the number of times that it counts. Here the rows on the left
# count three times.

weights = np.where(x[:, 0] < -2, 3.0, 1.0)
weighted = GaussianMixture(n_components=3, random_state=0).fit(x, sample_weight=weights)
print("weights of the components", mixture.weights_.round(3))
print("with weights of the rows ", weighted.weights_.round(3))
plt.show()
