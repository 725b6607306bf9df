"""How many components? Many sizes and structures in the passes of one fit.

python examples/choose_components.py [--rows 1000000]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import zarr

from daskgmm import Sweep, sweep
from daskgmm.em.events import Event, PassEnded

CHUNK = 50_000


def write_rows(path: Path, rows: int) -> None:
    """Write rows of four clusters that overlap, chunk after chunk."""
    array = zarr.create_array(path, shape=(rows, 3), chunks=(CHUNK, 3), dtype="float32")
    random = np.random.default_rng(0)
    centres = random.normal(scale=3, size=(4, 3))
    for start in range(0, rows, CHUNK):
        m = min(CHUNK, rows - start)
        array[start : start + m] = centres[random.integers(0, 4, m)] + random.normal(size=(m, 3))


def show(found: Sweep) -> None:
    """Print a line for each model that was fitted on all rows."""
    columns = ("n_components", "covariance_type", "status", "bic", "heldout", "heldout_se")
    for k, kind, status, bic, heldout, error in zip(*map(found.table.get, columns), strict=True):
        if status == "fitted":
            print(f"{k:>3} {kind:<10} BIC {bic:<12.0f} held out {heldout:.4f} +- {error:.4f}")


def main(rows: int, folder: Path) -> None:
    write_rows(folder / "rows.zarr", rows)
    passes = []

    def count(event: Event) -> None:
        if isinstance(event, PassEnded):
            passes.append(event.name)

    found = sweep(
        folder / "rows.zarr",
        n_components=range(1, 9),
        covariance_type=("full", "spherical"),
        random_state=0,
        listen=count,
    )
    show(found)
    print(f"{len(found.models)} starts, {len(passes)} passes")
    for criterion in ("bic", "icl", "heldout"):
        mixture = found.best(criterion)
        print(f"best by {criterion}: {mixture.n_components} {mixture.covariance_type}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(options.rows, Path(temporary))
