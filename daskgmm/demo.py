"""The demo: a photograph, segmented by a mixture of the colours of its pixels.

Everything goes through files, as it would if the picture were larger than memory: pixels to
Zarr, a fit, labels to Zarr, and only then a picture of the result.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray
from sklearn.datasets import load_sample_image

from daskgmm.errors import DaskGMMError
from daskgmm.models.files.model_file import save_model
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.progress import Forecast, show, show_pass

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHUNK_ROWS = 1 << 15
"""Pixels of a chunk: 9 chunks a photograph, enough to see them go by."""

MARK = "made-by-daskgmm-demo.txt"
"""Says that a folder is the demo's own, to write over when it runs again."""

DOTS_PER_PIXEL, DOTS_PER_INCH = 2, 200
MARGIN, GAP, HEADER, FOOTER = 32, 20, 62, 74
"""Of the picture, in pixels of the photograph."""

NAMED_SHARE = 0.04
"""Of all pixels; the numbers of smaller segments would touch."""

INK, FAINT, PAPER = "#22262b", "#7a828c", "#faf9f6"


@dataclass(frozen=True, slots=True)
class Files:
    """What the demo writes, all in one folder."""

    folder: Path

    @property
    def pixels(self) -> Path:
        """The pixels, a Zarr array of shape (n, 3)."""
        return self.folder / "pixels.zarr"

    @property
    def model(self) -> Path:
        """The fitted mixture."""
        return self.folder / "model.json"

    @property
    def labels(self) -> Path:
        """The component of each pixel: a Zarr group with the array label, of shape (n,)."""
        return self.folder / "labels.zarr"

    @property
    def picture(self) -> Path:
        """The photograph beside its segmentation."""
        return self.folder / "segmentation.png"


@dataclass(frozen=True, slots=True)
class Segments:
    """A photograph in pieces.

    Attributes
    ----------
    painted : ndarray of uint8, shape (height, width, 3)
        Each segment in its mean colour.
    colours : ndarray of shape (k, 3)
        The mean colours, from 0 to 1.
    shares : ndarray of shape (k,)
        Of all pixels.
    """

    painted: NDArray[np.uint8]
    colours: NDArray[np.float64]
    shares: NDArray[np.float64]


def run_demo(
    folder: Path, image: str, components: int, program: str = "daskgmm", *, quiet: bool = False
) -> str:
    """Segment a photograph that scikit-learn ships; return the story of it.

    Parameters
    ----------
    folder : path
        Made, or the demo's own from before: then its files are replaced.
    image : {"china.jpg", "flower.jpg"}
    components : int
    program : str
        How the story spells the command line.
    quiet : bool
        Whether to show no progress.

    Raises
    ------
    DaskGMMError
        If matplotlib or Pillow is missing, or the folder holds files of others.
    """
    photo = load_photo(image)
    files = Files(folder)
    claim(folder)
    began = time.perf_counter()
    write_pixels(photo, files.pixels)
    mixture = GaussianMixture(n_components=components, random_state=0)
    with show(Forecast(mixture.tol, mixture.max_iter), quiet=quiet) as listen:
        mixture.fit(files.pixels, listen=listen)
    save_model(mixture, files.model)
    with show_pass("labels", quiet=quiet) as progress:
        mixture.predict_to_zarr(files.pixels, files.labels, overwrite=True, progress=progress)
    seconds = time.perf_counter() - began
    draw(photo, segments_of(photo, files.labels), mixture, image, files.picture)
    return story(mixture, photo.shape, seconds, files, program)


def load_photo(image: str) -> NDArray[np.uint8]:
    """Return a photograph, shape (height, width, 3), if it can be read and drawn here."""
    try:
        import matplotlib  # noqa: F401

        photo: NDArray[np.uint8] = load_sample_image(image)
    except ImportError as error:
        raise DaskGMMError(
            "The demo reads and draws a picture, with matplotlib and Pillow. Install them with: "
            "pip install 'daskgmm[plot]'"
        ) from error
    return photo


def claim(folder: Path) -> None:
    """Make a folder the demo's own; refuse one in which somebody else has files."""
    mark = folder / MARK
    if folder.exists() and not mark.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DaskGMMError(
            f"{folder} exists and was not made by the demo, which would write over files in it. "
            "Choose another folder with --out."
        )
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(
        "`daskgmm demo` made this folder. When it runs again it replaces pixels.zarr, model.json,\n"
        "labels.zarr and segmentation.png, and leaves everything else as it is.\n",
        encoding="utf-8",
    )


def write_pixels(photo: NDArray[np.uint8], path: Path) -> None:
    """Write the pixels of a photograph, row after row, to a chunked Zarr array (n, 3)."""
    pixels = photo.reshape(-1, 3)
    array = zarr.create_array(
        path,
        shape=pixels.shape,
        chunks=(min(CHUNK_ROWS, len(pixels)), 3),
        dtype=pixels.dtype,
        zarr_format=3,
        overwrite=True,
        attributes={"long_name": "pixels of a photograph", "columns": ["red", "green", "blue"]},
    )
    array[:] = pixels


def segments_of(photo: NDArray[np.uint8], labels: Path) -> Segments:
    """Return the segments of a photograph from the labels of its pixels."""
    label: NDArray[Any] = np.asarray(zarr.open_array(labels / "label", mode="r")[:])
    counts = np.bincount(label)
    sums = [np.bincount(label, weights=channel) for channel in photo.reshape(-1, 3).T]
    colours = np.stack(sums, axis=1) / np.maximum(1, counts)[:, None]
    painted: NDArray[np.uint8] = colours.round().astype(np.uint8)[label].reshape(photo.shape)
    return Segments(painted, colours / 255, counts / label.size)


def draw(
    photo: NDArray[np.uint8],
    segments: Segments,
    mixture: GaussianMixture,
    title: str,
    path: Path,
) -> None:
    """Draw the photograph beside its segmentation, the components' colours below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width = photo.shape[:2]
    extent = np.array([2 * width + 2 * MARGIN + GAP, height + HEADER + FOOTER])
    figure = Figure(figsize=tuple(extent * DOTS_PER_PIXEL / DOTS_PER_INCH), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    figure.set_facecolor(PAPER)
    right = MARGIN + width + GAP
    for left, pixels in ((MARGIN, photo), (right, segments.painted)):
        box = place(figure, extent, left, FOOTER, width, height)
        box.imshow(pixels, interpolation="nearest")
    captions(figure, extent, title, mixture, height)
    swatches(figure, extent, segments, right, width)
    figure.savefig(path, facecolor=PAPER, metadata={"Software": "daskgmm"})


def place(
    figure: Figure, extent: NDArray[Any], left: float, bottom: float, width: float, height: float
) -> Axes:
    """Return bare axes at a place that is given in pixels of the photograph."""
    axes = figure.add_axes(
        (left / extent[0], bottom / extent[1], width / extent[0], height / extent[1])
    )
    axes.set_axis_off()
    return axes


def captions(
    figure: Figure, extent: NDArray[Any], title: str, mixture: GaussianMixture, height: int
) -> None:
    """Write above each picture what it is."""
    width = (extent[0] - 2 * MARGIN - GAP) // 2
    k = mixture.n_components
    texts = (
        (MARGIN, title, f"{width * height:,} pixels"),
        (
            MARGIN + width + GAP,
            f"{k} Gaussian component{'s' if k > 1 else ''}",
            f"log likelihood {mixture.lower_bound_:.3f} nats a pixel, {mixture.n_iter_} iterations",
        ),
    )
    how = f"fitted by daskgmm in {mixture.n_iter_ + 1} passes over a Zarr array"
    figure.text(MARGIN / extent[0], (FOOTER - 28) / extent[1], how, color=FAINT, size=6.5)
    y = (FOOTER + height + 18) / extent[1]
    for left, large, small in texts:
        figure.text(left / extent[0], y, large, color=INK, size=9, weight="bold")
        figure.text((left + width) / extent[0], y, small, color=FAINT, size=6.5, ha="right")


def swatches(
    figure: Figure, extent: NDArray[Any], segments: Segments, left: float, width: float
) -> None:
    """Draw a strip of the segments' colours, as wide as their shares, largest first."""
    axes = place(figure, extent, left, FOOTER - 32, width, 18)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    start = 0.0
    for k in np.argsort(-segments.shares, kind="stable"):
        share = float(segments.shares[k])
        axes.add_patch(_rectangle(start, share, segments.colours[k]))
        if share > NAMED_SHARE:
            x = (left + (start + share / 2) * width) / extent[0]
            y = (FOOTER - 50) / extent[1]
            figure.text(x, y, f"{share:.0%}", color=FAINT, size=6.5, ha="center")
        start += share


def _rectangle(left: float, width: float, colour: NDArray[Any]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((left, 0), width, 1, facecolor=tuple(colour), linewidth=0)


def story(
    mixture: GaussianMixture, shape: tuple[int, ...], seconds: float, files: Files, program: str
) -> str:
    """Return what was done, and where to go on."""
    rows, passes = shape[0] * shape[1], mixture.n_iter_ + 2
    ended = "converged" if mixture.converged_ else "stopped"
    return f"""\
{rows:,} pixels in {-(-rows // CHUNK_ROWS)} chunks; {mixture.n_components} components, \
{ended} after {mixture.n_iter_} iterations.
{passes} passes (survey, iterations, labels) in {seconds:.1f} s.

  {files.picture}   the photograph beside its segmentation
  {files.model}         the mixture
  {files.pixels}        the pixels, a Zarr array
  {files.labels}        the component of each pixel, a Zarr group

Go on with:
  {program} info {files.model}
  {program} info {files.pixels}
  {program} fit {files.pixels} --components 8 --out {files.folder / "eight.json"}
  {program} predict {files.folder / "eight.json"} {files.pixels} \
--out {files.folder / "eight.zarr"}"""
