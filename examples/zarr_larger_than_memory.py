"""
Rows on disk, larger than memory
================================

A Zarr array is fitted and labelled on threads, a few chunks at a time. Memory does
not grow with the number of rows, which only the disk limits: each row takes 32 bytes.
"""

import resource
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import dask
import matplotlib.pyplot as plt
import numpy as np
import zarr

from daskgmm import GaussianMixture, load_model, plot
from daskgmm.em.events import Event, Iterated

ROWS, CHUNK = 500_000, 50_000

# %%
# Rows around six centres in 8 dimensions, written chunk by chunk.

folder = TemporaryDirectory()
place = Path(folder.name)
array = zarr.create_array(
    place / "rows.zarr", shape=(ROWS, 8), chunks=(CHUNK, 8), dtype="float32"
)
random = np.random.default_rng(0)
centres = random.normal(scale=4, size=(6, 8))
for first in range(0, ROWS, CHUNK):
    noise = random.normal(size=(CHUNK, 8))
    array[first : first + CHUNK] = centres[random.integers(0, 6, CHUNK)] + noise

# %%
# A fit on two threads, with a line for each iteration.


def report(event: Event) -> None:
    """Print the likelihood and speed of an iteration."""
    if isinstance(event, Iterated):
        speed = event.rows / event.seconds
        print(
            f"iteration {event.iteration}: {event.lower_bound:.5f}, {speed:.0e} rows/s"
        )


with dask.config.set(num_workers=2):
    mixture = GaussianMixture(n_components=6, random_state=0)
    mixture.fit(place / "rows.zarr", listen=report)
    mixture.save(place / "model.json")

# %%
# Labels and ambiguities are computed from one read of the rows and written at once. A
# run that is killed resumes where it stopped.

mixture = load_model(place / "model.json")
with dask.config.set(num_workers=2):
    written = mixture.predict_to_zarr(
        place / "rows.zarr", place / "labels.zarr", ["label", "ambiguity"]
    )
print("rows of each component", written.counts)

# %%
# All pairs of four features, counted in one more pass over the rows. No single row is
# drawn.

axes = plot.corner(mixture, place / "rows.zarr", features=[0, 1, 2, 3])

# %%
# The peak memory of this process, libraries included.

peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
    1e9 if sys.platform == "darwin" else 1e6
)
print(f"{ROWS * 32 / 1e6:.0f} MB of rows, a peak of {peak:.2f} GB")
plt.show()
folder.cleanup()
