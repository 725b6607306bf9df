"""Run the benchmarks: python -m tests.benchmarks [--smoke] [NAME ...]."""

import argparse
import importlib
import os
import platform
import time
from contextlib import nullcontext
from importlib.metadata import PackageNotFoundError, version

import daskgmm
from tests.clusters import forked

PROGRAMS = (
    "iteration",
    "known_noise",
    "passes",
    "products",
    "out_of_core",
    "choices",
    "billion",
    "classifier",
    "clusters",
    "drift",
    "factors",
    "far_stores",
    "memory",
    "precision",
    "predictions",
    "rotations",
    "sizes",
    "standard_errors",
    "storage",
    "sweeps",
    "tails",
    "thousand_workers",
    "truncation",
)

COMPARED = ("numpy", "scikit-learn", "scikit-learn-intelex", "dask", "zarr")


def main() -> None:
    """Run the programs that were named, or all, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: only whether they run")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PROGRAMS))
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(PROGRAMS):
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}: {', '.join(PROGRAMS)}")
    print(machine())
    if asked.smoke:
        print("Smoke mode: the numbers mean nothing.")
    with forked() if asked.smoke else nullcontext():
        for name in asked.names or PROGRAMS:
            print(f"\n## {name}", flush=True)
            began = time.perf_counter()
            importlib.import_module(f"tests.benchmarks.{name}").main(asked.smoke)
            print(f"({name}: {time.perf_counter() - began:.0f} s)", flush=True)


def machine() -> str:
    """Return what the numbers depend on, in two lines."""
    packages = f"daskgmm {daskgmm.__version__} " + " ".join(
        f"{name} {_version(name)}" for name in COMPARED
    )
    return f"{platform.platform()}, {os.cpu_count()} CPUs ({_processor()})\n{packages}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123
            names = (line.split(":")[1].strip() for line in lines if line[:10] == "model name")
            return next(names, "unknown")
    except OSError:
        return platform.processor() or "unknown"


if __name__ == "__main__":
    main()
