"""Rows on disk: fit a Zarr array on threads, and label it, a few chunks at a time.

    python examples/zarr_larger_than_memory.py [--rows 20000000] [--folder FOLDER]

Memory does not grow with --rows: give as many as the disk holds (32 bytes a row).
"""

import argparse
import resource
import sys
import tempfile
from pathlib import Path

import dask
import numpy as np
import zarr

from daskgmm import GaussianMixture, load_model, save_model
from daskgmm.em.events import Event, Iterated

CHUNK = 100_000


def write_rows(path: Path, rows: int) -> None:
    """Write rows around six centres in 8 dimensions, chunk after chunk."""
    array = zarr.create_array(path, shape=(rows, 8), chunks=(CHUNK, 8), dtype="float32")
    random = np.random.default_rng(0)
    centres = random.normal(scale=4, size=(6, 8))
    for start in range(0, rows, CHUNK):
        m = min(CHUNK, rows - start)
        array[start : start + m] = centres[random.integers(0, 6, m)] + random.normal(size=(m, 8))


def report(event: Event) -> None:
    if isinstance(event, Iterated):
        speed = event.rows / event.seconds
        print(f"  iteration {event.iteration}: {event.lower_bound:.5f}, {speed:.1e} rows/s")


def main(rows: int, folder: Path) -> None:
    data = folder / "rows.zarr"
    write_rows(data, rows)
    with dask.config.set(num_workers=2):
        mixture = GaussianMixture(n_components=6, random_state=0).fit(data, listen=report)
        save_model(mixture, folder / "model.json")
        mixture = load_model(folder / "model.json")
        written = mixture.predict_to_zarr(data, folder / "labels.zarr", ["label", "ambiguity"])
    print("rows of each component", written.counts)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1e9 if sys.platform == "darwin" else 1e6
    print(f"{rows * 32 / 1e9:.2f} GB of rows, largest memory of this process {peak / unit:.2f} GB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(options.rows, options.folder or Path(temporary))
