"""
A Dask cluster
==============

If a Dask client exists, passes run on its workers. The cluster here is two processes
on this machine; every other cluster is used in the same way. Batch scripts for Slurm
and manifests for Kubernetes are in the folder ``deploy``.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
from dask.distributed import Client, LocalCluster

from daskgmm import GaussianMixture, plot

# %%
# Rows around three centres, in four chunks.

x = da.random.default_rng(0).normal(size=(400_000, 4), chunks=(100_000, 4))
x = x + 6 * (da.arange(len(x), chunks=100_000) % 3)[:, None]

# %%
# Worker processes import this script, so the client must be created below this line.
# Workers read the store themselves and need it under the same path or URL. Sums of
# batches are merged in a fixed order, so a cluster of any size gives the same bits as
# threads.

if __name__ == "__main__":
    folder = TemporaryDirectory()
    data = Path(folder.name) / "rows.zarr"
    x.to_zarr(data)
    here = GaussianMixture(n_components=3, random_state=0).fit(data)
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            silence_logs="ERROR",  # a busy machine logs that workers end slowly
        ) as cluster,
        Client(cluster),
    ):
        events = []
        mixture = GaussianMixture(n_components=3, random_state=0)
        mixture.fit(data, listen=events.append)
        # Predictions of what is not in memory are lazy Dask arrays.
        labels = mixture.predict(data)
        counts = da.bincount(labels, minlength=3).compute()
        plot.timeline(events)
    print("means\n", mixture.means_.round(2))
    print("rows of each component", counts)
    print(
        "the same bits as on threads:",
        np.array_equal(mixture.covariances_, here.covariances_),
    )
    plt.show()
    folder.cleanup()
