"""
Colours of galaxies with errors
===============================

A survey measures the colours g - r and r - i of two kinds of galaxies: a narrow red
sequence and a blue cloud. The errors of faint galaxies are as large as the sequence
is wide. They are correlated, because both colours use the r band. Extreme
deconvolution estimates the density of the colours without their errors (Bovy, Hogg &
Roweis 2011).
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np

from daskgmm import GaussianMixture, plot

N = 20_000
RED = (np.array([0.82, 0.40]), np.array([[0.0025, 0.0008], [0.0008, 0.0009]]))
BLUE = (np.array([0.45, 0.22]), np.array([[0.0200, 0.0080], [0.0080, 0.0060]]))

# %%
# Colours are in magnitudes, and 35 % of the galaxies are red. The number of galaxies
# grows towards the limit of the survey, and errors grow with the magnitude.

random = np.random.default_rng(0)
is_red = (random.random(N) < 0.35)[:, None]
red, blue = (random.multivariate_normal(*kind, size=N) for kind in (RED, BLUE))
true = np.where(is_red, red, blue)
fainter = np.log10(1.0 - random.random(N) * (1 - 1e-2)) / 0.4
g, r, i = (scale * 10 ** (0.3 * fainter) for scale in (0.11, 0.066, 0.077))
errors = np.empty((N, 2, 2))
errors[:, 0, 0], errors[:, 1, 1] = g**2 + r**2, r**2 + i**2
errors[:, 0, 1] = errors[:, 1, 0] = -(r**2)
bands = random.normal(size=(N, 3)) * np.stack([g, r, i], axis=1)
measured = true + bands[:, :2] - bands[:, 1:]

# %%
# A catalogue on disk holds the colours and the error covariance of each galaxy.

folder = TemporaryDirectory()
for name, values in (("colours", measured), ("errors", errors)):
    chunks = (5000, *values.shape[1:])
    da.from_array(values, chunks=chunks).to_zarr(Path(folder.name) / f"{name}.zarr")
colours = da.from_zarr(Path(folder.name) / "colours.zarr")
noise = da.from_zarr(Path(folder.name) / "errors.zarr")

# %%
# A fit that ignores the errors finds a red sequence that is too wide, because the
# errors add to its width.

plain = GaussianMixture(2, random_state=0).fit(colours)
mixture = GaussianMixture(2, random_state=0).fit(colours, noise_variance=noise)
print("standard deviations of the red sequence, in g - r and r - i:")
print(f"  true            {np.sqrt(np.diag(RED[1])).round(3)}")
for title, each in (("errors ignored", plain), ("errors removed", mixture)):
    covariance = each.covariances_[each.means_[:, 0].argmax()]
    print(f"  {title:<15} {np.sqrt(np.diag(covariance)).round(3)}")
gain = mixture.score(true) - plain.score(true)
print(f"removing errors gains {gain:.2f} nats per galaxy on the true colours")
certain = mixture.predict_proba(colours, noise_variance=noise).max(axis=1).compute()
print(f"the kind of {(certain > 0.95).mean():.0%} of the galaxies is 95 % certain")

# %%
# The measured colours, and the components that were found with the errors ignored and
# with the errors removed.

figure, grid = plt.subplots(
    1, 2, sharex=True, sharey=True, figsize=(9, 4), layout="constrained"
)
for axes, (title, each) in zip(
    grid,
    {"errors ignored": plain, "errors removed": mixture}.items(),
    strict=True,
):
    plot.components(each, colours, ax=axes)
    axes.set(title=title, xlabel="g - r", ylabel="r - i")
plt.show()
folder.cleanup()
