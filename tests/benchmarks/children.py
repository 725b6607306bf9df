"""Parts of a benchmark in processes of their own: BLAS takes its threads from there."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def environment(threads: int) -> dict[str, str]:
    """Return this environment with every library, and Dask, at so many threads."""
    variables = dict.fromkeys((*THREAD_VARIABLES, "DASK_NUM_WORKERS"), str(threads))
    return {**os.environ, **variables}


def command(module: str, request: dict[str, Any]) -> list[str]:
    """Return the command that runs `module` of this package on a request."""
    return [sys.executable, "-m", f"tests.benchmarks.{module}", json.dumps(request)]


def ask(module: str, request: dict[str, Any], threads: int) -> Iterator[dict[str, Any]]:
    """Run `module` on a request and yield its answers as they come, one a line.

    Raises
    ------
    RuntimeError
        If the process fails; its errors are on this process's stderr.
    """
    process = subprocess.Popen(
        command(module, request), env=environment(threads), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise RuntimeError(f"tests.benchmarks.{module} ended with code {process.returncode}.")


def answer(result: dict[str, Any]) -> None:
    """Send one answer back, from inside the process."""
    print(json.dumps(result), flush=True)


def request() -> dict[str, Any]:
    """Return what this process was asked."""
    asked: dict[str, Any] = json.loads(sys.argv[1])
    return asked
