"""Workers and schedulers that start from other environments than the test."""

import subprocess
import sys
from contextlib import contextmanager

import numpy as np

from tests.cli.data import ENVIRONMENT
from tests.waiting import LONGEST

LACKING = """
import sys

class Lacking:
    def find_spec(self, name, *rest):
        if name.split(".")[0] == "daskgmm":
            raise ModuleNotFoundError("No module named 'daskgmm'", name="daskgmm")

sys.meta_path.insert(0, Lacking())
"""

OLDER = """
import daskgmm.version

daskgmm.__version__ = daskgmm.version.__version__ = "0.0.1"
"""


OTHER_CPU = """
import os

os.environ["NPY_DISABLE_CPU_FEATURES"] = {features!r}
os.environ["OPENBLAS_CORETYPE"] = "Prescott"
""".format(features=" ".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])))
"""As on an older CPU: NumPy without what it found beyond its baseline, and a BLAS without AVX."""


@contextmanager
def process(module, *arguments, changed=""):
    """Run a module of distributed in an environment that a few lines of Python change."""
    code = f"{changed}\nimport runpy\nrunpy.run_module({module!r}, run_name='__main__')"
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


@contextmanager
def worker(client, changed=""):
    """Run a worker of one thread, and wait until the scheduler knows it; yield its process."""
    known = len(client.scheduler_info(n_workers=-1)["workers"])
    address = client.scheduler.address
    options = ["--nthreads", "1", "--no-nanny", "--memory-limit", "0", "--no-dashboard"]
    options += ["--host", "127.0.0.1"]
    with process("distributed.cli.dask_worker", address, *options, changed=changed) as started:
        client.wait_for_workers(known + 1, timeout=LONGEST)
        yield started
