"""
How many components, and of which shape?
========================================

A sweep fits mixtures with several numbers of components and covariance structures in
shared passes over the rows. It compares them by criteria: BIC, AIC, ICL, or the
likelihood of held-out rows.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import zarr

from daskgmm import sweep
from daskgmm.em.events import Event, PassEnded

# %%
# Four overlapping clusters, written chunk by chunk: 200,000 rows here, but the number
# of rows is limited only by the disk.

folder = TemporaryDirectory()
data = Path(folder.name) / "rows.zarr"
random = np.random.default_rng(0)
centres = random.normal(scale=3, size=(4, 3))
rows = zarr.create_array(data, shape=(200_000, 3), chunks=(50_000, 3), dtype="float32")
for start in range(0, 200_000, 50_000):
    noise = random.normal(size=(50_000, 3))
    rows[start : start + 50_000] = centres[random.integers(0, 4, 50_000)] + noise

# %%
# The sweep compares twelve models. Those that are clearly beaten on a sample of the
# rows get no pass of their own; the others share the passes over all rows.

passes = []


def count(event: Event) -> None:
    """Record the passes over the rows."""
    if isinstance(event, PassEnded):
        passes.append(event.name)


found = sweep(
    data,
    n_components=range(1, 7),
    covariance_type=("full", "spherical"),
    random_state=0,
    listen=count,
)
print(f"{len(found.models)} models, {len(passes)} passes")

# %%
# The line joins the best start of each size. Hollow dots are models that were beaten
# on the sample.

axes = found.plot()
axes.set_title("four spheres: BIC finds them", loc="left")
plt.show()

# %%
# The criteria answer different questions. BIC selects as many components as the
# density needs, and ICL as many as there are separate clusters. The held-out
# likelihood measures how well a model describes new rows; its standard error shows
# which differences matter.

columns = ("n_components", "covariance_type", "status", "heldout", "heldout_se")
for k, kind, status, heldout, error in zip(*map(found.table.get, columns), strict=True):
    if status == "fitted":
        print(f"{k:>3} {kind:<10} held out {heldout:.4f} +- {error:.4f} nats per row")
for criterion in ("bic", "icl", "heldout"):
    mixture = found.best(criterion)
    print(f"best by {criterion}: {mixture.n_components} {mixture.covariance_type}")
folder.cleanup()
