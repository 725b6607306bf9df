"""Hosts in network namespaces, on a switch that is in one of its own: the machine sees nothing."""

import itertools
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress

import pytest

HOSTS = ("scheduler", "worker1", "worker2", "driver")
_numbers = itertools.count()


def address(host):
    """Return the address of a host; the range is one for documentation (RFC 5737)."""
    return f"198.51.100.{HOSTS.index(host) + 1}"


@contextmanager
def hosts():
    """Lend hosts that reach each other and nothing else; end what runs on them at the end."""
    _skip_without_namespaces()
    lent = Hosts(f"daskgmm-{os.getpid()}-{next(_numbers)}")
    try:
        lent.make()
        yield lent
    finally:
        lent.remove()


class Hosts:
    """Four network namespaces with a cable each to a bridge in a fifth.

    Parameters
    ----------
    prefix : str
        Of the names of the namespaces, which are the machine's.
    """

    def __init__(self, prefix):
        self._prefix = prefix
        self._switch = f"{prefix}-switch"

    def make(self):
        """Make switch, hosts and cables."""
        _ip("netns", "add", self._switch)
        _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "bridge", "up")
        for host in HOSTS:
            _ip("netns", "add", self._name(host))
            cable = ("type", "veth", "peer", "name", "eth0", "netns", self._name(host))
            _ip("-n", self._switch, "link", "add", host, *cable)
            _ip("-n", self._switch, "link", "set", host, "master", "bridge", "up")
            _ip("-n", self._name(host), "link", "set", "lo", "up")
            _ip("-n", self._name(host), "addr", "add", f"{address(host)}/24", "dev", "eth0")
            _ip("-n", self._name(host), "link", "set", "eth0", "up")

    def remove(self):
        """End what runs on the hosts, and remove them."""
        present = _ip("netns", "list")
        for host in HOSTS:
            if self._name(host) in present:
                self.end(host)
        for name in (*map(self._name, HOSTS), self._switch):
            if name in present:
                _ip("netns", "delete", name)

    def cut(self, host):
        """Unplug the cable of a host at the switch."""
        _ip("-n", self._switch, "link", "set", host, "down")

    def mend(self, host):
        """Plug it in again."""
        _ip("-n", self._switch, "link", "set", host, "up")

    def hang(self, host):
        """Stop every process of a host; its kernel goes on to answer for them."""
        self._signal(host, signal.SIGSTOP)

    def end(self, host):
        """Kill every process of a host, and wait until they are gone."""
        deadline = time.monotonic() + 10
        while self.processes(host):
            self._signal(host, signal.SIGKILL)
            assert time.monotonic() < deadline, f"processes of {host} do not end"
            time.sleep(0.05)

    def processes(self, host):
        """Return the ids of the processes of a host."""
        return [int(each) for each in _ip("netns", "pids", self._name(host)).split()]

    def listening(self, host):
        """Return the addresses, with ports, on which a host accepts connections."""
        lines = subprocess.check_output(self.on(host, ["ss", "-ltnH"]), text=True).splitlines()
        return [line.split()[3] for line in lines]

    def on(self, host, command):
        """Return the command that runs a command on a host, with no process in between."""
        return ["nsenter", f"--net=/run/netns/{self._name(host)}", *command]

    def _name(self, host):
        return f"{self._prefix}-{host}"

    def _signal(self, host, number):
        for process in self.processes(host):
            with suppress(ProcessLookupError):  # it ended by itself
                os.kill(process, number)


def _ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _skip_without_namespaces():
    missing = [name for name in ("ip", "ss", "nsenter") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: apt-get install iproute2 util-linux")
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    trial = f"daskgmm-{os.getpid()}-trial"
    try:
        _ip("netns", "add", trial)
    except OSError as error:
        pytest.skip(f"network namespaces are refused: {error}")
    _ip("netns", "delete", trial)
