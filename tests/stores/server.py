"""A real S3 server on loopback: SeaweedFS, all of it in one process."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.free_ports import free_ports

ROLES = ("master", "volume", "filer", "s3")
SECONDS = 90
"""To be up; it takes four on an idle machine."""


def find_program():
    """Return the path of SeaweedFS's program, or None."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@contextlib.contextmanager
def s3_server(program, folder, is_up):
    """Run a server that keeps its data in a folder; yield its address.

    It is of a process group of its own, and that group is ended.
    """
    ports = free_ports(2 * len(ROLES))
    http, grpc = ports[: len(ROLES)], ports[len(ROLES) :]
    command = [
        *(program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-filer", "-s3", "-volume.max=8", "-s3.iam=false", "-s3.autoCreateBucket=false"),
        # Nothing leaves this machine, and no port is taken that was not free.
        *("-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *(f"-{role}.localSocket={folder}/{role}.sock" for role in ("filer", "s3")),
        *(f"-{role}.port={port}" for role, port in zip(ROLES, http, strict=True)),
        *(f"-{role}.port.grpc={port}" for role, port in zip(ROLES, grpc, strict=True)),
    ]
    endpoint = f"http://127.0.0.1:{http[-1]}"
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True) as process,
    ):
        try:
            _wait(process, endpoint, is_up, folder / "log")
            yield endpoint
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for role, port in zip(ROLES, grpc, strict=True):
                Path(f"/tmp/seaweedfs-{role}-grpc-{port}.sock").unlink(missing_ok=True)


def _wait(process, endpoint, is_up, log):
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return is_up(endpoint)
        except Exception as error:  # of whatever kind
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"the server does not come up:\n{said}") from error
            time.sleep(0.3)
