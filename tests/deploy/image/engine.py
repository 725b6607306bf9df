"""buildah and podman with storage, settings and a network namespace of their own."""

import os
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

NEEDED = (
    "aardvark-dns",
    "buildah",
    "mmdebstrap",
    "netavark",
    "openssl",
    "podman",
    "podman-compose",
    "runc",
)
"""Programs, and Debian's packages of the same names."""

STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""

# runc, file locks and low ulimits: crun refuses hybrid cgroups, locks in /dev/shm are shared with
# other storages, and a container may not raise the limits of a host that lacks the capability.
SETTINGS = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{folder}/tmp"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""

LOCKED_IN = (
    *("--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges", "--pull", "never"),
)
"""As deploy/kubernetes and compose.yaml run the image."""


def missing():
    """Return the programs that this machine lacks."""
    return [name for name in NEEDED if not (shutil.which(name) or _helper(name).exists())]


def _helper(program):
    return Path("/usr/lib/podman", program)


class Engine:
    """Containers that leave nothing behind, not even a bridge: it is all in one folder and one
    network namespace, which has no way out."""

    def __init__(self, folder):
        self.folder = folder
        self.namespace = f"daskgmm-image-{os.getpid()}"
        self._cgroups_before = _cgroups()

    def __enter__(self):
        for name, text in (("storage.conf", STORAGE), ("containers.conf", SETTINGS)):
            (self.folder / name).write_text(text.format(folder=self.folder))
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        self.run("ip", "link", "set", "lo", "up")
        return self

    def __exit__(self, *failure):
        try:
            self.run("podman", "rm", "--all", "--force", "--time", "0", check=False)
            self.run("podman", "network", "prune", "--force", check=False)
            self.run("buildah", "rm", "--all", check=False)
        finally:
            for mount in _mounts(self.folder):
                subprocess.run(["umount", mount], check=False)
            subprocess.run(["ip", "netns", "del", self.namespace], check=False)
            shutil.rmtree(self.folder)
            for group in sorted(_cgroups() - self._cgroups_before, reverse=True):
                with suppress(OSError):  # somebody else's containers are there by now
                    group.rmdir()

    def run(self, *command, check=True, cwd=None, timeout=300, **variables):
        """Run a command in the namespace; return what became of it."""
        ended = subprocess.run(
            self._inside(command),
            env=self._environment(variables),
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check:
            assert ended.returncode == 0, f"{command}\n{(ended.stdout + ended.stderr)[-4000:]}"
        return ended

    def start(self, *command):
        """Start a command in the namespace."""
        return subprocess.Popen(
            self._inside(command), env=self._environment({}), stdout=subprocess.PIPE, text=True
        )

    def _inside(self, command):
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *map(str, command)]

    def _environment(self, variables):
        return {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            **variables,
        }


def _mounts(folder):
    """Return what is mounted below a folder, the innermost first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line.split()[1] for line in reversed(lines) if re.match(rf"\S+ {folder}/", line)]


def _cgroups():
    """Return the control groups of podman's containers, which it leaves when they are gone."""
    parents = Path("/sys/fs/cgroup").rglob("libpod_parent")
    return {group for parent in parents for group in (parent, *parent.rglob("*")) if group.is_dir()}
