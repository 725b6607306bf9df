"""Handwritten digits by a mixture of factor analysers: means, loadings and reconstructions.

Each component has a mean image, a few directions in which its images vary (loadings), and a noise
variance for each pixel (Ghahramani & Hinton 1996). An image is then a label and a few latent
coordinates, from which it is drawn again.

python examples/digits_by_factor_analysers.py [--rows 1797]
"""

import argparse

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from daskgmm import GaussianMixture

Array = NDArray[np.float64]

COMPONENTS, FACTORS, SHOWN = 10, 4, 10

STEP = 2.0
"""How far along a factor pictures are shown, in its standard deviations."""


def digits(rows: int) -> tuple[Array, NDArray[np.int64]]:
    """Return images (n, 64) with values from 0 to 17, and their digits.

    Grey levels are whole numbers, and a density has no meaning for these: each becomes a random
    number up to the next one.
    """
    images, labels = load_digits(return_X_y=True)
    images += np.random.default_rng(0).uniform(size=images.shape)
    return images[:rows], labels[:rows]


def fitted(images: Array) -> GaussianMixture:
    """Return a mixture of factor analysers of images."""
    settings = {"covariance_type": "factor", "n_factors": FACTORS, "random_state": 0}
    return GaussianMixture(COMPONENTS, **settings).fit(images)


def report(mixture: GaussianMixture, images: Array, true: NDArray[np.int64]) -> str:
    """Return what the mixture found, in words."""
    latent, labels = mixture.transform(images, return_labels=True)
    points = mixture.inverse_transform(latent, labels)
    most = [int(np.bincount(true[labels == k]).argmax()) for k in range(COMPONENTS)]
    same = np.array(most)[labels] == true
    total = float(((images - images.mean(0)) ** 2).sum())
    left = float(((images - points) ** 2).sum())
    return (
        f"{len(images):,} images: {mixture.score(images):.2f} nats an image; "
        f"{100 * same.mean():.0f} % are in a component of mostly their digit; a label and "
        f"{FACTORS} numbers explain {100 * (1 - left / total):.0f} % of the variance."
    )


def draw(mixture: GaussianMixture, images: Array, path: str) -> None:
    """Write rows of means, of loadings, of images and their reconstructions, if it can be drawn."""
    try:
        import matplotlib as mpl
    except ImportError:
        return
    mpl.use("agg")
    from matplotlib import pyplot as plt

    shown = images[np.linspace(0, len(images) - 1, SHOWN).astype(int)]
    again = mixture.inverse_transform(*mixture.transform(shown, return_labels=True))
    loadings = mixture.factor_loadings_
    rows: list[tuple[str, Array, bool]] = [("means", mixture.means_, False)]
    for number in range(2):
        rows.append((f"factor {number + 1}", loadings[:, :, number], True))
    for sign in (-1, 1):
        moved = mixture.means_ + sign * STEP * loadings[:, :, 0]
        rows.append((f"means {'+' if sign > 0 else '-'} {STEP:g} factor 1", moved, False))
    rows += [("images", shown, False), ("reconstructions", again, False)]
    figure, axes = plt.subplots(len(rows), COMPONENTS, figsize=(9, 7.2))
    widest = float(np.abs(loadings[:, :, :2]).max())
    for of_row, (name, values, is_signed) in zip(axes, rows, strict=True):
        limits = {"vmin": -widest, "vmax": widest} if is_signed else {"vmin": 0, "vmax": 17}
        for each, value in zip(of_row, values, strict=True):
            colours = "RdBu" if is_signed else "gray_r"
            each.imshow(value.reshape(8, 8), cmap=colours, **limits)
            each.set(xticks=[], yticks=[])
        of_row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(
        f"{COMPONENTS} components with {FACTORS} factors each, of {len(images):,} images"
    )
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    print(f"{path} shows means, loadings and reconstructions.")


def main() -> None:
    """Fit, report, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1797, help="images, of 1,797 at most")
    parser.add_argument("--picture", default="digits_by_factor_analysers.png")
    asked = parser.parse_args()
    images, true = digits(asked.rows)
    mixture = fitted(images)
    print(report(mixture, images, true))
    draw(mixture, images, asked.picture)


if __name__ == "__main__":
    main()
