"""The demo: a photograph, segmented by a mixture of the colours of its pixels.

Everything goes through files, as it would if the picture were larger than memory: pixels to
Zarr, a fit, labels to Zarr, and only then a picture of the result.
"""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from sklearn.datasets import load_sample_image

from daskgmm.counting import counted
from daskgmm.em.events import Event, PassEnded, together
from daskgmm.errors import DaskGMMError, OutputError
from daskgmm.models.gaussian_mixture import GaussianMixture
from daskgmm.models.model_file import save_model
from daskgmm.progress import Forecast, show, show_pass
from daskgmm.storage.address import Address
from daskgmm.storage.local import shortage

CHUNK_ROWS = 1 << 15
"""Number of pixels of a chunk: 9 chunks a photograph, so that progress is visible."""

MARK = "made-by-daskgmm-demo.txt"
"""Says that a folder is the demo's own, to write over when it runs again."""

MARK_TEXT = """\
`daskgmm demo` made this folder. When it runs again it replaces pixels.zarr, model.json,
labels.zarr and segmentation.png, and leaves everything else as it is.
"""


@dataclass(frozen=True, slots=True)
class Files:
    """The files that the demo writes, all in one folder."""

    pixels: Path
    model: Path
    labels: Path
    picture: Path

    @classmethod
    def of(cls, folder: Path) -> Files:
        """Return the paths in a folder."""
        names = "pixels.zarr", "model.json", "labels.zarr", "segmentation.png"
        return cls(*(folder / name for name in names))


def run_demo(
    folder: Path, image: str, components: int, program: str = "daskgmm", *, quiet: bool = False
) -> str:
    """Segment a photograph that scikit-learn ships; return the story of it.

    `program` is how the story spells the command line.
    """
    photo = load_photo(image)
    files = Files.of(folder)
    claim(folder)
    began = time.perf_counter()
    with writing(files.pixels):
        write_pixels(photo, files.pixels)
    mixture = GaussianMixture(n_components=components, random_state=0)
    passes = Passes()
    with show(Forecast(mixture.tol, mixture.max_iter), quiet=quiet) as listen:
        mixture.fit(files.pixels, listen=together(listen, passes))
    save_model(mixture, files.model)
    with show_pass("labels", quiet=quiet) as progress:
        mixture.predict_to_zarr(files.pixels, files.labels, overwrite=True, progress=progress)
    seconds = time.perf_counter() - began
    draw(photo, files, mixture, image)
    return story(mixture, photo.shape, passes.told(seconds), files, program)


class Passes:
    """A listener that counts the passes over the pixels, by their names."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def __call__(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, PassEnded):
            self._names.append("iterations" if event.name == "expectation" else event.name)

    def told(self, seconds: float) -> str:
        """Return the number of passes, that of the labels too, and what they are for."""
        names = [*self._names, "labels"]
        listed = ", ".join(dict.fromkeys(names))
        return f"{counted(len(names), 'pass', 'es')} ({listed}) in {seconds:.1f} s."


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
    with writing(mark):
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(MARK_TEXT, encoding="utf-8")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name what cannot be written, as on a full disk; a part of an array is not left."""
    try:
        yield
    except OSError as error:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        short = shortage(error)
        advice = f"{short.what.capitalize()}: {short.remedy}, or choose" if short else "Choose"
        raise OutputError(
            f"{path} cannot be written: {error}. {advice} another folder with --out."
        ) from error


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
    # Of chunks that are written at once, others go on after one has failed.
    for start in range(0, len(pixels), CHUNK_ROWS):
        chunk = slice(start, start + CHUNK_ROWS)
        array[chunk] = pixels[chunk]


def draw(photo: NDArray[np.uint8], files: Files, mixture: GaussianMixture, title: str) -> None:
    """Draw the photograph beside its segments in their mean colours, with their shares below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    label: NDArray[Any] = np.asarray(zarr.open_array(files.labels / "label", mode="r")[:])
    counts = np.bincount(label)
    sums = [np.bincount(label, weights=channel) for channel in photo.reshape(-1, 3).T]
    colours = np.stack(sums, axis=1) / np.maximum(1, counts)[:, None]
    painted = colours.round().astype(np.uint8)[label].reshape(photo.shape)
    figure = Figure(figsize=(13, 5.4), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.imshow(photo, interpolation="nearest")
    left.set_title(f"{title}: {label.size:,} pixels")
    right.imshow(painted, interpolation="nearest")
    k, reached = mixture.n_components, mixture.criteria_["log_likelihood"]
    right.set_title(f"{counted(k, 'component')}, log likelihood {reached:.3f} nats per pixel")
    for axes in (left, right):
        axes.set_axis_off()
    for number in np.argsort(-counts, kind="stable"):
        name = f"{counts[number] / label.size:.0%}"
        right.plot([], [], "s", color=colours[number] / 255, markersize=12, label=name)
    figure.legend(loc="outside lower center", ncols=min(k, 10), frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": "daskgmm"})
    with writing(files.picture):
        Address.of(files.picture).replace(content.getvalue())


def story(
    mixture: GaussianMixture, shape: tuple[int, ...], passes: str, files: Files, program: str
) -> str:
    """Return a text about the written files and the next commands."""
    rows = shape[0] * shape[1]
    ended = "converged" if mixture.converged_ else "stopped"
    return f"""\
{rows:,} pixels in {counted(-(-rows // CHUNK_ROWS), "chunk")}; \
{counted(mixture.n_components, "component")}, {ended} after \
{counted(mixture.n_iter_, "iteration")}.
{passes}

  {files.picture}   the photograph beside its segmentation
  {files.model}         the mixture
  {files.pixels}        the pixels, a Zarr array
  {files.labels}        the component of each pixel, a Zarr group

Next steps:
  {program} info {files.model}
  {program} info {files.pixels}
  {program} fit {files.pixels} \\
    --components 8 --out {files.model.parent / "eight.json"}
  {program} predict {files.model.parent / "eight.json"} {files.pixels} \\
    --out {files.model.parent / "eight.zarr"}"""
