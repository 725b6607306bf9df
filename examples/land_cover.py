"""
Land cover from a few known pixels
==================================

A scene has four bands, and the land cover of one pixel in five hundred is known. The
classifier fits one mixture per class and learns from all pixels, including those of
unknown cover (semi-supervised learning).
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from daskgmm import GaussianMixtureClassifier

SIDE = 300
COVERS = {1: "water", 2: "forest", 3: "fields", 4: "town"}
# Two kinds of each cover, such as deep and shallow water; reflectance in percent.
REFLECTANCES = {
    1: [[4, 4, 3, 2], [7, 8, 6, 3]],
    2: [[3, 5, 3, 30], [3, 6, 4, 38]],
    3: [[5, 9, 6, 42], [9, 12, 16, 24]],
    4: [[12, 13, 14, 18], [20, 21, 22, 25]],
}

# %%
# A scene on (y, x, band), its true cover, and the known cover, which is missing in
# most pixels.

random = np.random.default_rng(0)
relief = [gaussian_filter(random.normal(size=(SIDE, SIDE)), 9) for _ in COVERS]
truth = 1 + np.argmax(relief, axis=0)
means = np.array([REFLECTANCES[cover] for cover in COVERS], np.float32)
bands = means[truth - 1, random.integers(2, size=truth.shape)]
bands = bands * (1 + 0.12 * random.normal(size=bands.shape))
known = np.where(random.random(truth.shape) < 1 / 500, truth, 0)
scene = xr.Dataset(
    {
        "reflectance": (("y", "x", "band"), bands.astype(np.float32), {"units": "%"}),
        "known": (("y", "x"), known.astype(np.uint8)),
        "truth": (("y", "x"), truth.astype(np.uint8)),
    },
    {
        **{axis: (axis, 30.0 * np.arange(SIDE), {"units": "m"}) for axis in "yx"},
        "band": ("band", [490, 560, 665, 842], {"units": "nm"}),
    },
)
folder = TemporaryDirectory()
path = Path(folder.name) / "scene.zarr"
scene.known.encoding["_FillValue"] = 0
scene.chunk(y=128, x=128).to_zarr(path, consolidated=False)
scene = xr.open_zarr(path, consolidated=False)

# %%
# Two components per class.

image = scene.reflectance
classifier = GaussianMixtureClassifier(2, random_state=0)
classifier.fit(image, scene.known, feature_dims=("band",))
facts = zip(classifier.class_count_, classifier.class_prior_, strict=True)
for cover, (count, share) in zip(COVERS.values(), facts, strict=True):
    print(f"{cover:7} {count:4.0f} pixels known, {share:.0%} of the scene")
cover = classifier.predict(image)  # lazy, on the grid
print(f"correct: {float((cover == scene.truth).mean()):.1%} of all pixels")

# %%
# Posteriors are written while they are computed. They show where the map can be
# trusted.

out = Path(folder.name) / "cover.zarr"
classifier.predict_to_zarr(image, out, ["label", "posterior"], dtype="uint8")
written = xr.open_zarr(out, consolidated=False)
sure = float((written.posterior.max("class_label") > 0.9).mean())
print(f"more than 90 % certain: {sure:.0%} of all pixels")

# %%
# The near-infrared band, the known cover, and the predicted cover.

figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
image.sel(band=842).plot.imshow(ax=axes[0], cmap="gray", vmin=0, vmax=50)
y, x = np.nonzero(known)
how = {"cmap": plt.get_cmap("Dark2", 4), "vmin": 0.5, "vmax": 4.5}
axes[1].scatter(scene.x[x], scene.y[y], c=known[y, x], s=6, **how)
shown = axes[2].pcolormesh(scene.x, scene.y, cover, **how)
figure.colorbar(shown, ticks=[*COVERS], shrink=0.8).set_ticklabels([*COVERS.values()])
for each, title in zip(axes, ("near infrared", "known", "predicted"), strict=True):
    each.set(title=title, aspect="equal", xlabel="x (m)", ylabel="y (m)")
plt.show()
folder.cleanup()
