"""What a user has on a cluster: data, an edited slurm.yaml, and the shipped scripts."""

import json
import subprocess
import sys
from pathlib import Path

import yaml
import zarr

from daskgmm import load_model
from tests.oracle.data import blobs
from tests.promises.slow import bits

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "deploy" / "slurm"
K = 4
BLOCKS = 40
"""Reads of a pass."""

ITERATIONS = 6
"""Of a fit, where a test does not say."""


def write_rows(path):
    """Write a store whose chunks are read one by one."""
    rows = 25_000
    zarr.create_array(path, data=blobs(BLOCKS * rows, 4, K, seed=2), chunks=(rows, 4))


def model_bits(path):
    """Return all that the fit behind a model file found, as bytes."""
    return bits(load_model(path))


class Site:
    """A folder on the file system that all nodes share, and a Slurm.

    Attributes
    ----------
    slurm : Slurm
    folder : Path
    settings : list of str
        Arguments of `daskgmm fit` but for the output.
    """

    def __init__(self, slurm, folder, data, iterations):
        self.slurm, self.folder = slurm, folder
        self.settings = [
            *(str(data), "--components", f"{K}", "--tol", "0", "--max-iter", f"{iterations}")
        ]
        self.model, self.events = folder / "model.json", folder / "events.jsonl"
        self.environment = {
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder),
            "DASK_DISTRIBUTED__WORKER__PRELOAD": str(Path(__file__).with_name("slow_reads.py")),
        }
        self._programs()

    def _programs(self):
        """Put `daskgmm` and what is installed beside this Python on the path."""
        programs = self.folder / "bin"
        programs.mkdir()
        command = programs / "daskgmm"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m daskgmm.cli "$@"\n')
        command.chmod(0o755)
        here = Path(sys.executable).parent
        self.environment["PATH"] = f"{programs}:{here}:{self.slurm.environment['PATH']}"

    def edit_options(self, **changes):
        """Write slurm.yaml: the shipped one, with what differs on this cluster."""
        options = yaml.safe_load((SHIPPED / "slurm.yaml").read_text())
        here = {
            "adapt": {"minimum": 2, "maximum": 2},
            "queue": "all",
            "cores": 1,
            "memory": "1GiB",
            "job_mem": "1280M",
            "walltime": "00:10:00",
            "interface": "lo",
            "scheduler_options": {"dashboard_address": "127.0.0.1:0"},
        }
        (self.folder / "slurm.yaml").write_text(yaml.safe_dump({**options, **here, **changes}))

    def submit(self, script, *options, environment=()):
        """Submit a shipped script as it is; options of sbatch come first."""
        return self.slurm.submit(
            *options,
            SHIPPED / script,
            *self.settings,
            *("--out", self.model, "--log-json", self.events),
            folder=self.folder,
            environment={**self.environment, **dict(environment)},
        )

    def quiet_bits(self):
        """Fit here, undisturbed, on one thread; return the bits."""
        out = self.folder / "quiet.json"
        fit = [sys.executable, "-m", "daskgmm.cli", "fit", *self.settings, "--out", str(out)]
        done = subprocess.run(
            [*fit, "--threads", "1", "--quiet"], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 3, done.stderr  # as the tolerance is 0
        return model_bits(out)

    def told(self, kind):
        """Return the events of a kind that were written so far."""
        if not self.events.exists():
            return []
        lines = self.events.read_text().splitlines(keepends=True)
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in events if event["event"] == kind]

    def iterations(self):
        """Return the numbers of the iterations that have ended, in the order of their ends."""
        return [event["iteration"] for event in self.told("Iterated")]

    def log(self, job):
        """Return what the driver wrote, in all its runs."""
        (path,) = self.folder.glob(f"*-{job}.log")
        return path.read_text()
