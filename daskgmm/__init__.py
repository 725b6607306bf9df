"""Gaussian mixture models for data that do not fit in memory.

Letters, everywhere, in this order: n rows, d features, k components. Axes run (k, d, d).

>>> from daskgmm import GaussianMixture
>>> mixture = GaussianMixture(n_components=3)
"""

from daskgmm.models.gaussian_mixture import GaussianMixture

__all__ = ["GaussianMixture", "__version__"]

__version__ = "0.1.0"
