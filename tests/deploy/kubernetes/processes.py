"""Pods as processes of this machine: their command lines, on loopback and in a folder."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.free_ports import free_ports

ROOT = Path(__file__).parents[3]
SECONDS = 180  # after which what should have ended is stuck
PROGRAMS = {
    "dask": [sys.executable, "-m", "dask"],
    "daskgmm": [sys.executable, "-m", "daskgmm.cli"],
}
NOTHING_OF_THE_USER = {
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
}


class Node:
    """A folder that holds what pods see, and addresses that are free."""

    def __init__(self, folder):
        self.scheduler, self.dashboard = free_ports(2)
        self._folder, self.data, self.tmp = folder, folder / "data", folder / "tmp"
        self.data.mkdir()
        self.tmp.mkdir()

    @contextmanager
    def started(self, pod):
        """Start the process of a pod; end it, with all it started, at the end."""
        process = subprocess.Popen(
            self._here(pod.command_line) + self._addresses(pod.role),
            cwd=self.tmp,
            env=os.environ | self._environment(pod),
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end(process)

    def run(self, pod):
        """Run the process of a pod to its end; return its exit code."""
        with self.started(pod) as process:
            return process.wait(SECONDS)

    def ask(self, path):
        """Return what the scheduler's HTTP server says, once it runs."""
        url = f"http://127.0.0.1:{self.dashboard}{path}"
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                with urllib.request.urlopen(url, timeout=SECONDS) as answer:
                    return answer.read()
            except urllib.error.URLError as error:
                if isinstance(error, urllib.error.HTTPError) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _here(self, line):
        return [part for word in line for part in PROGRAMS.get(word, [self._local(word)])]

    def _local(self, word):
        scheduler = f"127.0.0.1:{self.scheduler}"
        return word.replace("daskgmm-scheduler:8786", scheduler).replace("/data", str(self.data))

    def _environment(self, pod):
        own = {name: self._local(value) for name, value in pod.environment.items()}
        here = {"TMPDIR": str(self.tmp), "PYTHONPATH": str(ROOT), "DASK_CONFIG": self._etc(pod)}
        return own | here | NOTHING_OF_THE_USER

    def _etc(self, pod):
        """Write what is mounted in /etc; return the folder of Dask's configuration."""
        folder = self._folder / pod.name
        for path, content in pod.files.items():
            file = folder / path.relative_to("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.replace(b"/etc/", f"{folder}/etc/".encode()))
        return str(folder / "etc" / "dask")

    def _addresses(self, role):
        """Return options that keep a process off this machine's other interfaces."""
        host = ["--host", "127.0.0.1"]
        if role == "scheduler":
            dashboard = f"127.0.0.1:{self.dashboard}"
            return [*host, "--port", str(self.scheduler), "--dashboard-address", dashboard]
        return host if role == "worker" else []


def _end(process):
    """End a process as the kubelet does: SIGTERM, and SIGKILL for what is left."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
