"""Ports of loopback for servers that cannot choose one themselves and tell it."""

import atexit
import random
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
HELD = ExitStack()
"""Marks of the ports that this process has given away, until it ends."""

atexit.register(HELD.close)


def free_ports(number):
    """Return so many ports that nobody listens on and that no other test process is given.

    They lie below those that the system gives to whoever asks for any.
    """
    stop = int(EPHEMERAL.read_text().split()[0]) if EPHEMERAL.exists() else 32_768
    candidates = random.sample(range(10_000, stop), stop - 10_000)
    ports = (port for port in candidates if _take(port))
    return [next(ports) for _ in range(number)]


def _take(port):
    """Return whether the port is free, and mark it as given away."""
    with suppress(OSError), socket.socket() as tried, ExitStack() as stack:
        tried.bind(("127.0.0.1", port))
        if EPHEMERAL.exists():
            # Linux lets one process at a time have a socket of this name.
            mark = stack.enter_context(socket.socket(socket.AF_UNIX))
            mark.bind(f"\0daskgmm-test-port-{port}")
        HELD.push(stack.pop_all())
        return True
    return False
