"""
How many components, and of which shape?
========================================

A sweep fits many numbers of components and structures of covariances in the passes of
one fit, and compares them by criteria: BIC, AIC, ICL, or the likelihood of rows that
were held out.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import zarr

from daskgmm import sweep
from daskgmm.em.events import Event, PassEnded

# %%
# Four clusters that overlap, written chunk after chunk: 200,000 rows here, as many as
# the disk holds otherwise.

folder = TemporaryDirectory()
data = Path(folder.name) / "rows.zarr"
random = np.random.default_rng(0)
centres = random.normal(scale=3, size=(4, 3))
rows = zarr.create_array(data, shape=(200_000, 3), chunks=(50_000, 3), dtype="float32")
for start in range(0, 200_000, 50_000):
    noise = random.normal(size=(50_000, 3))
    rows[start : start + 50_000] = centres[random.integers(0, 4, 50_000)] + noise

# %%
# Twelve kinds of models. No pass is made for those that are clearly beaten on a sample
# of the rows; the others share the passes over all rows.

passes = []


def count(event: Event) -> None:
    """Note the passes over the rows."""
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
# The best start of each size is on the line. Hollow dots are models that were beaten
# on the sample.

axes = found.plot()
axes.set_title("four spheres: BIC finds them", loc="left")
plt.show()

# %%
# Criteria answer different questions: BIC takes as many components as the density
# needs, ICL as many as there are clusters apart, and the held-out likelihood says how
# well new rows are described. Its standard error tells whether a difference is one.

columns = ("n_components", "covariance_type", "status", "heldout", "heldout_se")
for k, kind, status, heldout, error in zip(*map(found.table.get, columns), strict=True):
    if status == "fitted":
        print(f"{k:>3} {kind:<10} held out {heldout:.4f} +- {error:.4f} nats per row")
for criterion in ("bic", "icl", "heldout"):
    mixture = found.best(criterion)
    print(f"best by {criterion}: {mixture.n_components} {mixture.covariance_type}")
folder.cleanup()
