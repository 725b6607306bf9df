"""Colours of galaxies with errors: the density without them, by extreme deconvolution.

    python examples/galaxy_colours.py [--rows 100000] [--folder FOLDER] [--picture colours.png]

A survey measures the colours g - r and r - i of galaxies of two kinds, a narrow red sequence and a
blue cloud. Faint galaxies have errors as large as the sequence is wide, and as both colours have
the r band, their errors are correlated. A catalogue on disk has the colours and, of each galaxy,
the covariance of its errors. A picture needs matplotlib.
"""

import argparse
import tempfile
from pathlib import Path

import dask.array as da
import numpy as np

from daskgmm import GaussianMixture

RED = (0.35, np.array([0.82, 0.40]), np.array([[0.0025, 0.0008], [0.0008, 0.0009]]))
BLUE = (0.65, np.array([0.45, 0.22]), np.array([[0.0200, 0.0080], [0.0080, 0.0060]]))
"""Shares, means and covariances of the colours of both kinds, in magnitudes."""


def catalogue(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true colours (n, 2), covariances of the errors (n, 2, 2), and measured colours."""
    random = np.random.default_rng(0)
    is_red = random.random(n) < RED[0]
    true = np.where(
        is_red[:, None],
        random.multivariate_normal(*RED[1:], size=n),
        random.multivariate_normal(*BLUE[1:], size=n),
    )
    # Counts grow towards the limit of the survey, and errors with the magnitude.
    magnitude = 22.5 + np.log10(1.0 - random.random((n, 1)) * (1 - 1e-2)) / 0.4
    g, r, i = (0.11 * scale * 10 ** (0.3 * (magnitude[:, 0] - 22.5)) for scale in (1.0, 0.6, 0.7))
    covariances = np.empty((n, 2, 2))
    covariances[:, 0, 0] = g**2 + r**2
    covariances[:, 1, 1] = r**2 + i**2
    covariances[:, 0, 1] = covariances[:, 1, 0] = -(r**2)
    bands = random.normal(size=(n, 3)) * np.stack([g, r, i], axis=1)
    errors = bands[:, :2] - bands[:, 1:]
    return true, covariances, true + errors


def red_sequence(mixture: GaussianMixture) -> np.ndarray:
    """Return the covariance of the component with the reddest mean."""
    return mixture.covariances_[mixture.means_[:, 0].argmax()]


def draw(path: Path, measured: np.ndarray, mixtures: dict[str, GaussianMixture]) -> None:
    """Draw the measured colours, and each mixture's components."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import Ellipse

    axes = plt.subplots(1, len(mixtures), sharex=True, sharey=True, figsize=(10, 4))[1]
    for axis, (title, mixture) in zip(axes, mixtures.items(), strict=True):
        axis.plot(*measured[:5000].T, ".", ms=1, color="0.7")
        for mean, covariance in zip(mixture.means_, mixture.covariances_, strict=True):
            values, vectors = np.linalg.eigh(covariance)
            angle = np.degrees(np.arctan2(*vectors[::-1, 1]))
            width, height = 4 * np.sqrt(values[::-1])
            axis.add_patch(Ellipse(mean, width, height, angle=angle, fill=False, color="C3", lw=2))
        axis.set(title=title, xlabel="g - r", xlim=(-0.1, 1.3), ylim=(-0.2, 0.8))
    axes[0].set(ylabel="r - i")
    plt.tight_layout()
    plt.savefig(path)


def main(rows: int, folder: Path, picture: Path | None) -> None:
    true, covariances, measured = catalogue(rows)
    for name, values in (("colours", measured), ("errors", covariances)):
        chunks = (20_000, *values.shape[1:])
        da.from_array(values, chunks=chunks).to_zarr(folder / f"{name}.zarr")
    colours, errors = (da.from_zarr(folder / f"{name}.zarr") for name in ("colours", "errors"))

    plain = GaussianMixture(2, random_state=0).fit(colours)
    mixture = GaussianMixture(2, random_state=0).fit(colours, noise_variance=errors)
    print("standard deviations of the red sequence, in g - r and r - i:")
    for title, covariance in (
        ("true", RED[2]), ("with errors", red_sequence(plain)), ("without", red_sequence(mixture)),
    ):  # fmt: skip
        print(f"  {title:<12}{np.sqrt(np.diag(covariance)).round(3)}")
    off = [np.abs(red_sequence(each) / RED[2] - 1).max() for each in (plain, mixture)]
    assert off[1] < 0.5 * off[0]

    gain = mixture.score(true) - plain.score(true)
    print(f"true colours are {gain:.2f} nats a galaxy more likely without errors")
    assert gain > 0.1
    certain = mixture.predict_proba(colours, noise_variance=errors).max(axis=1).compute()
    print(f"{(certain > 0.95).mean():.0%} of the galaxies have a kind that is 95 % certain")
    if picture is not None:
        draw(picture, measured, {"colours as measured": plain, "without their errors": mixture})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(options.rows, options.folder or Path(temporary), options.picture)
