"""Fit and predict on two worker processes: STORE MODEL LABELS."""

import sys
import warnings

from distributed import Client, LocalCluster

from daskgmm import GaussianMixture

SETTINGS = {
    "n_components": 2,
    "covariance_type": "diag",
    "max_iter": 1,
    "tol": 0.0,
    "random_state": 0,
}


def main(store, model, labels):
    warnings.simplefilter("ignore")
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            memory_limit="380MiB",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        Client(cluster),
    ):
        mixture = GaussianMixture(**SETTINGS).fit(store)
        mixture.save(model)
        mixture.predict_to_zarr(store, labels)


if __name__ == "__main__":
    main(*sys.argv[1:])
