"""Labels: land cover of a satellite image from a few pixels whose cover is known.

    python examples/land_cover.py [--rows 200000] [--folder FOLDER] [--picture cover.png]

A scene of four bands on (y, x) is generated, with the cover of one pixel in five hundred. The
classes are fitted to all pixels: those of unknown cover count too. Needs daskgmm[xarray]; a
picture needs matplotlib.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from daskgmm import GaussianMixtureClassifier

COVERS = {1: "water", 2: "forest", 3: "fields", 4: "town"}
BANDS = [490, 560, 665, 842]  # nm: blue, green, red, near infrared
REFLECTANCES = {  # of two kinds of each cover, in percent: deep and shallow water, crops and soil
    1: [[4, 4, 3, 2], [7, 8, 6, 3]],
    2: [[3, 5, 3, 30], [3, 6, 4, 38]],
    3: [[5, 9, 6, 42], [9, 12, 16, 24]],
    4: [[12, 13, 14, 18], [20, 21, 22, 25]],
}
KNOWN = 1 / 500
"""Part of the pixels whose cover is known."""


def write_scene(path: Path, side: int) -> None:
    """Write a scene, its true cover, and the cover that is known: missing elsewhere."""
    random = np.random.default_rng(0)
    relief = np.stack([gaussian_filter(random.normal(size=(side, side)), 9) for _ in COVERS])
    truth = 1 + np.argmax(relief, axis=0)
    kind = random.integers(2, size=truth.shape)
    means = np.array([REFLECTANCES[cover] for cover in COVERS], np.float32)
    bands = means[truth - 1, kind] * (1 + 0.12 * random.normal(size=(*truth.shape, len(BANDS))))
    known = np.where(random.random(truth.shape) < KNOWN, truth, 0)
    scene = xr.Dataset(
        {
            "reflectance": (("y", "x", "band"), bands.astype(np.float32), {"units": "%"}),
            "known": (("y", "x"), known.astype(np.uint8)),
            "truth": (("y", "x"), truth.astype(np.uint8)),
        },
        {"y": 30.0 * np.arange(side), "x": 30.0 * np.arange(side), "band": BANDS},
    )
    missing = {"known": {"_FillValue": 0}}
    scene.chunk(y=128, x=128).to_zarr(path, consolidated=False, encoding=missing)


def main(rows: int, folder: Path, picture: str | None) -> None:
    write_scene(folder / "scene.zarr", max(100, round(rows**0.5)))
    scene = xr.open_zarr(folder / "scene.zarr", consolidated=False)
    image = scene.reflectance

    classifier = GaussianMixtureClassifier(2, random_state=0)
    classifier.fit(image, scene.known, feature_dims=("band",))
    counts = dict(zip(classifier.classes_.tolist(), classifier.class_count_.tolist(), strict=True))
    print(f"{image.sizes['y']} x {image.sizes['x']} pixels, of which are known:")
    for cover, share in zip(classifier.classes_, classifier.class_prior_, strict=True):
        print(f"  {COVERS[int(cover)]:7} {counts[int(cover)]:4}; in the scene {share:.0%}")

    cover = classifier.predict(image)  # lazy, on the grid
    print(f"right: {float((cover == scene.truth).mean()):.1%} of all pixels")
    classifier.predict_to_zarr(image, folder / "cover.zarr", ["label", "posterior"], dtype="uint8")
    written = xr.open_zarr(folder / "cover.zarr", consolidated=False)
    sure = float((written.posterior.max("class_label") > 0.9).mean())
    print(f"sure (more than 90 %) of {sure:.0%}")
    if picture is not None:
        draw(scene, cover, picture)


def draw(scene: xr.Dataset, cover: xr.DataArray, picture: str) -> None:
    """Draw the near infrared, what is known, and the cover that was found."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(15, 5), layout="constrained")
    scene.reflectance.sel(band=842).plot.imshow(ax=axes[0], cmap="gray", vmin=0, vmax=50)
    known = scene.known
    y, x = np.nonzero(known.notnull().to_numpy())
    colors = plt.get_cmap("tab10", 4)
    axes[1].scatter(
        scene.x[x], scene.y[y], c=known.to_numpy()[y, x], s=6, cmap=colors, vmin=0.5, vmax=4.5
    )
    found = axes[2].pcolormesh(scene.x, scene.y, cover, cmap=colors, vmin=0.5, vmax=4.5)
    bar = figure.colorbar(found, ax=axes[2], ticks=list(COVERS))
    bar.ax.set_yticklabels(list(COVERS.values()))
    for each, title in zip(axes, ("near infrared", "known", "found"), strict=True):
        each.set(title=title, aspect="equal")
    figure.savefig(picture, dpi=80)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--picture")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(options.rows, options.folder or Path(temporary), options.picture)
