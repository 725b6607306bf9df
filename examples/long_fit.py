"""A fit that may take long: its cost beforehand, its progress, and how it survives.

    python examples/long_fit.py [--rows 5000000]

Interrupt it with Ctrl-C and start it again: it goes on where it was. (Give --folder then, so
that the data stay where they are.)
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import zarr

import daskgmm
from daskgmm import GaussianMixture
from daskgmm.em.events import Checkpointed, Event, FitStarted, Iterated

CHUNK = 50_000


def write_rows(path: Path, rows: int) -> None:
    """Write rows around four centres, chunk after chunk."""
    array = zarr.create_array(path, shape=(rows, 6), chunks=(CHUNK, 6), dtype="float32")
    random = np.random.default_rng(0)
    centres = random.normal(scale=2, size=(4, 6))
    for start in range(0, rows, CHUNK):
        m = min(CHUNK, rows - start)
        array[start : start + m] = centres[random.integers(0, 4, m)] + random.normal(size=(m, 6))


def tell(event: Event) -> None:
    if isinstance(event, FitStarted) and event.resumed is not None:
        print(f"going on after iteration {event.resumed}")
    elif isinstance(event, Iterated):
        print(f"iteration {event.iteration}: {event.lower_bound:.6f} in {event.seconds:.2f} s")
    elif isinstance(event, Checkpointed):
        print(f"  {event.nbytes / 1000:.0f} kB are safe in {event.path}")


def main(rows: int, folder: Path) -> None:
    data = folder / "rows.zarr"
    if not data.exists():
        write_rows(data, rows)
    print(daskgmm.plan(data, n_components=4), "\n")
    mixture = GaussianMixture(n_components=4, tol=1e-5, random_state=0)
    mixture.fit(data, checkpoint=folder / "fit.ckpt", cache="64MB", listen=tell)
    history = mixture.history_
    print(f"{len(history['iteration'])} iterations, {sum(history['seconds']):.1f} s in passes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(options.rows, options.folder or Path(temporary))
