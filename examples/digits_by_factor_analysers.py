"""
Handwritten digits by factor analysers
======================================

Each component has a mean image, a few directions in which its images vary (loadings),
and a noise variance for each pixel (Ghahramani & Hinton 1996). A label and a few
latent coordinates then describe an image well enough to reconstruct it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from daskgmm import GaussianMixture

K, FACTORS = 10, 4

# %%
# The images have 8 x 8 pixels with values from 0 to 16. Grey levels are integers,
# which a density cannot describe, so a uniform random number between 0 and 1 is added
# to each.

images, digits = load_digits(return_X_y=True)
images += np.random.default_rng(0).uniform(size=images.shape)

mixture = GaussianMixture(
    K, covariance_type="factor", n_factors=FACTORS, random_state=0
)
mixture.fit(images)

# %%
# How much of the variance a label and four numbers explain.

latent, labels = mixture.transform(images, return_labels=True)
again = mixture.inverse_transform(latent, labels)
most = np.array([np.bincount(digits[labels == k]).argmax() for k in range(K)])
left = ((images - again) ** 2).sum() / ((images - images.mean(0)) ** 2).sum()
print(f"{len(images):,} images: {mixture.score(images):.2f} nats per image")
print(f"{(most[labels] == digits).mean():.0%} show the main digit of their component")
print(f"a label and {FACTORS} numbers explain {1 - left:.0%} of the variance")

# %%
# Means, loadings, the effect of moving along the first factor, and images with their
# reconstructions.

shown = np.linspace(0, len(images) - 1, K).astype(int)
means, loadings = mixture.means_, mixture.factor_loadings_
rows = {
    "means": means,
    "factor 1": loadings[:, :, 0],
    "factor 2": loadings[:, :, 1],
    "means - 2 factor 1": means - 2 * loadings[:, :, 0],
    "means + 2 factor 1": means + 2 * loadings[:, :, 0],
    "images": images[shown],
    "reconstructions": again[shown],
}
widest = np.abs(loadings[:, :, :2]).max()
figure, grid = plt.subplots(len(rows), K, figsize=(9, 6.6))
for line, (name, values) in zip(grid, rows.items(), strict=True):
    is_signed = name in ("factor 1", "factor 2")
    look = {"cmap": "RdBu", "vmin": -widest, "vmax": widest}
    for axes, value in zip(line, values, strict=True):
        axes.imshow(value.reshape(8, 8), **(look if is_signed else {"cmap": "gray_r"}))
        axes.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
figure.tight_layout()
plt.show()
