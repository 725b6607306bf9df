"""
A fit that takes long
=====================

How to see the cost of a fit beforehand, follow its progress and make it survive. A
fit with a checkpoint that is interrupted or killed, or loses its machine, resumes
where it stopped and ends with the same bits.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import zarr

import daskgmm
from daskgmm import GaussianMixture, plot
from daskgmm.em.events import Checkpointed, Event, FitStarted, Iterated

# %%
# Rows around four centres, written chunk by chunk.

folder = TemporaryDirectory()
data, checkpoint = Path(folder.name) / "rows.zarr", Path(folder.name) / "fit.ckpt"
random = np.random.default_rng(0)
centres = random.normal(scale=2, size=(4, 6))
rows = zarr.create_array(data, shape=(200_000, 6), chunks=(50_000, 6), dtype="float32")
for start in range(0, 200_000, 50_000):
    noise = random.normal(size=(50_000, 6))
    rows[start : start + 50_000] = centres[random.integers(0, 4, 50_000)] + noise

# %%
# The plan of a fit: memory, bytes to read, batches.

print(daskgmm.plan(data, n_components=4))

# %%
# Events report the progress of a fit. This fit is interrupted after three iterations.


def tell(event: Event) -> None:
    """Print what happened."""
    if isinstance(event, FitStarted) and event.resumed is not None:
        print(f"resuming after iteration {event.resumed}")
    elif isinstance(event, Iterated):
        print(f"iteration {event.iteration}: {event.lower_bound:.6f} nats per row")
    elif isinstance(event, Checkpointed):
        print(f"  {event.nbytes / 1000:.0f} kB saved in {Path(event.path).name}")


def tell_and_stop(event: Event) -> None:
    """Print what happened, and interrupt the fit as Ctrl-C does."""
    tell(event)
    if isinstance(event, Iterated) and event.iteration == 3:
        raise KeyboardInterrupt


settings = {"n_components": 4, "tol": 1e-8, "random_state": 0}
try:
    GaussianMixture(**settings).fit(data, checkpoint=checkpoint, listen=tell_and_stop)
except KeyboardInterrupt:
    print("interrupted")

# %%
# The same call resumes the fit, which ends where an uninterrupted fit ends.

mixture = GaussianMixture(**settings).fit(data, checkpoint=checkpoint, listen=tell)
through = GaussianMixture(**settings).fit(data)
print("the same bits:", np.array_equal(mixture.covariances_, through.covariances_))

# %%
# The likelihood of each pass. The first passes gain the most.

axes = plot.convergence(mixture)
plt.show()
folder.cleanup()
