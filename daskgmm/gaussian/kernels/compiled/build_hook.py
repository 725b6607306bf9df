"""Hatchling's hook: the compiled kernel goes into wheels and editable installs.

Where nothing can be compiled, the wheel is one of Python alone, and NumPy does all.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILDING = Path(__file__).with_name("building.py")


class KernelHook(BuildHookInterface[Any]):  # type: ignore[misc, unused-ignore]
    """Compiles beside the source, and names the platform in the tag of the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        # In a process of its own: the package cannot be imported here.
        built = subprocess.run(
            [sys.executable, str(BUILDING)], check=False, stdout=subprocess.PIPE, text=True
        ).stdout.split("\n")
        libraries = [Path(line).relative_to(self.root).as_posix() for line in built if line]
        if libraries:
            build_data["artifacts"].extend(libraries)
            build_data["pure_python"] = False
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{platform}"

    def clean(self, versions: list[str]) -> None:
        for library in BUILDING.parent.glob("*.kernel.so"):
            library.unlink()
