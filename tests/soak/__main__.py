"""Run a soak: python -m tests.soak [--minutes N] [--seed N]."""

import argparse
import shutil
import sys
import tempfile
from multiprocessing import set_forkserver_preload
from pathlib import Path

import dask
from distributed.utils import get_mp_context

from tests.soak.chaos import soak


def main():
    """Do jobs for so long, and print what happened; exit with 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="daskgmm-soak-"))
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context()
        set_forkserver_preload(["tests.soak.chaos", "daskgmm.models.fitting.estimator"])
        tally = soak(folder, asked.seed, minutes=asked.minutes)
    for what, count in sorted(tally.counts.items()):
        print(f"{count:6d}  {what}")
    print(f"{len(tally.wrong):6d}  faults", *tally.wrong, sep="\n        ")
    if not tally.wrong:
        shutil.rmtree(folder)
    sys.exit(bool(tally.wrong))


if __name__ == "__main__":
    main()
