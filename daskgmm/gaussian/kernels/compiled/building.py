"""Compile the kernel: ``python building.py [folder]``, by the build hook or by hand.

It needs nothing but Python and a C compiler, as the package is not installed where it is built.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

SOURCE = Path(__file__).parent
"""Where the source is: files of C, and their headers."""

SUFFIX = ".kernel.so"
"""What the names of libraries end with, on every system."""

VARIANTS: dict[str, dict[str, list[str]]] = {
    "x86_64": {"avx512": ["-mavx512f", "-mfma"], "avx2": ["-mavx2", "-mfma"]},
    "aarch64": {"neon": []},
}
"""Flags of the libraries of each kind of processor; one with more instructions comes first."""

SAME = {"amd64": "x86_64", "arm64": "aarch64"}
"""Other names of processors."""

FLAGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden", "-fPIC"]
"""No flag may let the compiler change a result: bits would depend on it."""

MOST_SECONDS = 300.0


def variants() -> dict[str, list[str]]:
    """Return the flags of each library of this kind of processor; none if it is not known."""
    machine = platform.machine().lower()
    return VARIANTS.get(SAME.get(machine, machine), {})


def checksum() -> int:
    """Return a number that tells a library of this source and these flags from any other."""
    number = zlib.crc32(repr((FLAGS, variants())).encode())
    for path in sorted(SOURCE.glob("*.[ch]")):
        number = zlib.crc32(path.read_bytes(), number)
    return number


def compiler() -> list[str] | None:
    """Return the command of the C compiler, that of ``CC`` or ``cc``; None without one."""
    command = shlex.split(os.environ.get("CC", "")) or ["cc"]
    return command if shutil.which(command[0]) else None


def build(
    folder: Path, extra: Iterable[str] = (), names: Iterable[str] | None = None
) -> list[Path]:
    """Compile what can be compiled, and return the libraries; none without a compiler.

    Parameters
    ----------
    folder : Path
        Where the libraries go.
    extra : iterable of str
        More flags, as for sanitizers.
    names : iterable of str, optional
        Which libraries; all of this kind of processor if not given.
    """
    command = compiler()
    if command is None:
        return []
    with ThreadPoolExecutor() as pool:  # the compilers run side by side
        compiled = partial(_compile, [*command, *FLAGS, *extra], folder)
        paths = pool.map(compiled, variants() if names is None else names)
        return [path for path in paths if path is not None]


def _compile(command: list[str], folder: Path, variant: str) -> Path | None:
    """Compile one library, and return it; None, with a line to stderr, if that fails."""
    path = folder / f"{variant}{SUFFIX}"
    unfinished = path.with_suffix(f".{os.getpid()}")
    files = sorted(map(str, SOURCE.glob("*.c")))
    own = [*variants()[variant], f"-DSOURCE={checksum()}LL", "-shared", *files]
    try:
        line = [*command, *own, "-o", str(unfinished), "-lm"]
        subprocess.run(line, check=True, timeout=MOST_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"daskgmm: no compiled kernel for {variant} ({error})", file=sys.stderr)
        unfinished.unlink(missing_ok=True)
        return None
    unfinished.replace(path)  # whole or not at all, as another process may load it
    return path


if __name__ == "__main__":
    for library in build(Path(sys.argv[1]) if sys.argv[1:] else SOURCE):
        print(library)
