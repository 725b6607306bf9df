"""The time that a fit loses to a lost worker: python -m tests.deploy.tls.faults [ROW ...].

ROW is recommended-cut, default-hang and so on; all of them take half an hour at most, nearly all
of it Dask's patience. Every row is a cluster of its own, as the README starts it: two workers with
a nanny each, on four hosts in network namespaces, with TLS.

cut     the link of a worker's host goes down for good
hang    worker and nanny stop, as if their host had; its kernel goes on to answer
stuck   the worker stops, its nanny does not
"""

import os
import signal
import sys
import tempfile
from pathlib import Path

import yaml
import zarr

from tests.benchmarks.__main__ import machine
from tests.deploy.tls.cluster import Cluster, disturb, patience
from tests.deploy.tls.hosts import hosts
from tests.deploy.tls.shipped import FOLDER, certificates
from tests.oracle.data import blobs

ROLES = ("scheduler", "worker", "driver")
STRUCK = "worker2"
ROWS = tuple(
    f"{name}-{fault}" for name in ("recommended", "default") for fault in ("cut", "stuck", "hang")
)


def main():
    """Print a table, a row as it is known."""
    print(machine())
    print("| settings | fault | pass before | pass in which it happened | later passes |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="daskgmm-faults-") as folder:
        made = certificates(Path(folder) / "certificates")
        stored = Path(folder) / "rows.zarr"
        zarr.create_array(stored, data=blobs(300_000, 4, 4, seed=2), chunks=(5000, 4))
        for row in sys.argv[1:] or ROWS:
            name, fault = row.split("-")
            settings = recommended() if name == "recommended" else {}
            found = struck(fault, settings, made, stored, Path(folder))
            seconds = (found.before, found.struck, found.after)
            told = " | ".join(f"{each:.1f} s" for each in seconds)
            print(f"| {name} | {fault} | {told} |", flush=True)


def recommended():
    """Return what timeouts.yaml says."""
    shipped = yaml.safe_load((FOLDER / "timeouts.yaml").read_text())["distributed"]
    timeouts = shipped["comm"]["timeouts"]
    ttl = shipped["scheduler"]["worker-ttl"]
    return patience(timeouts["connect"], timeouts["tcp"], ttl)


def struck(fault, settings, made, stored, folder):
    """Return what became of a fit that a fault struck."""
    with hosts() as network:
        cluster = Cluster(network, made, folder, settings, ROLES)
        strikes = {"cut": network.cut, "hang": network.hang, "stuck": lambda host: stick(cluster)}
        try:
            cluster.start()
            return disturb(cluster, stored, folder / "bits.pkl", lambda: strikes[fault](STRUCK))
        finally:
            cluster.stop()


def stick(cluster):
    """Stop the worker of the host that is struck, and not its nanny."""
    nanny = cluster.process(STRUCK)
    for process in set(cluster.hosts.processes(STRUCK)) - {nanny}:
        os.kill(process, signal.SIGSTOP)


if __name__ == "__main__":
    main()
