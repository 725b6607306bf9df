"""Promise 3 for variational posteriors: the same bits on threads and on clusters."""

import dask
import dask.array as da
import pytest
from distributed import Client, LocalCluster
from numpy.testing import assert_array_equal

from daskgmm import BayesianGaussianMixture
from tests.oracle.data import STRUCTURES, blobs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

FITTED = ("weights_", "means_", "precisions_cholesky_", "mean_precision_", "lower_bounds_")


def fitted(covariance_type):
    x = da.from_array(blobs(4000, 3, 3, seed=1), chunks=(500, 3))
    mixture = BayesianGaussianMixture(
        5, covariance_type=covariance_type, max_iter=4, random_state=0
    ).fit(x)
    found = {name: getattr(mixture, name) for name in FITTED}
    return {**found, "posterior": mixture.predict_proba(x).compute()}


@pytest.mark.parametrize(
    ("workers", "threads", "processes"), [(1, 3, False), (2, 1, True), (5, 1, False)]
)
def test_clusters(workers, threads, processes):
    with dask.config.set(num_workers=1):
        alone = {name: fitted(name) for name in STRUCTURES}
    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=threads,
        processes=processes,
        dashboard_address="127.0.0.1:0",
    )
    with cluster, Client(cluster):
        for covariance_type in STRUCTURES:
            there = fitted(covariance_type)
            for name, values in alone[covariance_type].items():
                assert_array_equal(there[name], values)
