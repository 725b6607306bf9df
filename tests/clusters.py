"""Clusters of this machine that tests share."""

from distributed import LocalCluster


def two_workers():
    """Return a cluster of two processes with one thread each."""
    return LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
    )
