"""Rows on a cluster: make a Dask client first, and passes run on its workers.

    python examples/dask_cluster.py [--rows 5000000]

Here the cluster is two processes of this machine; any other is used in the same way.
"""

import argparse
import tempfile
from pathlib import Path

import dask.array as da
from dask.distributed import Client, LocalCluster

from daskgmm import GaussianMixture


def main(rows: int, folder: Path) -> None:
    x = da.random.default_rng(0).normal(size=(rows, 4), chunks=(100_000, 4))
    x = x + 6 * (da.arange(rows, chunks=100_000) % 3)[:, None]
    x.to_zarr(folder / "rows.zarr")

    # Workers read the store themselves: they need it under the same path or URL.
    mixture = GaussianMixture(n_components=3, random_state=0).fit(folder / "rows.zarr")
    print("means\n", mixture.means_.round(2))

    # Predictions of what is not in memory are lazy Dask arrays.
    labels = mixture.predict(folder / "rows.zarr")
    print("rows of each component", da.bincount(labels, minlength=3).compute())
    labels.to_zarr(folder / "labels.zarr")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as temporary,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster),
    ):
        main(options.rows, Path(temporary))
