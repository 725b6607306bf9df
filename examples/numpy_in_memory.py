"""
Rows in memory, as in scikit-learn
==================================

The interface is that of scikit-learn's ``GaussianMixture``: whoever knows that one
knows this one. What is new here are weights of rows.
"""

import matplotlib.pyplot as plt
import numpy as np

from daskgmm import GaussianMixture, plot

# %%
# Three clusters of 200,000 rows, and a mixture of three components.

random = np.random.default_rng(0)
centres = np.array([[-4.0, 0.0], [0.0, 3.0], [4.0, -1.0]])
x = centres[random.integers(0, 3, 200_000)] + random.normal(size=(200_000, 2))

mixture = GaussianMixture(n_components=3, random_state=0).fit(x)
print(f"converged after {mixture.n_iter_} iterations, BIC {mixture.bic(x):.0f}")
print("means\n", mixture.means_.round(2))
print("first labels", mixture.predict(x[:5]))

# %%
# Ellipses hold 50 % and 90 % of a component; grey is the density of the rows.

axes = plot.components(mixture, x)

# %%
# A weight says how often a row counts. Here those on the left count three times.

weights = np.where(x[:, 0] < -2, 3.0, 1.0)
weighted = GaussianMixture(n_components=3, random_state=0).fit(x, sample_weight=weights)
print("weights of the components", mixture.weights_.round(3))
print("with weights of the rows ", weighted.weights_.round(3))
plt.show()
