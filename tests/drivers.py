"""Drivers that tests kill: real processes, forked from one that has imported what they need."""

import os
import sys
from contextlib import AbstractContextManager

from distributed.utils import get_mp_context

from tests.waiting import LONGEST


class Driver(AbstractContextManager):
    """A function in a process of its own, with the lines that it prints as `stdout`."""

    def __init__(self, main, *arguments):
        context = get_mp_context()
        lines, out = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(main, arguments, out))
        self._process.start()
        out.close()
        self.stdout = os.fdopen(os.dup(lines.fileno()))

    def send_signal(self, number):
        """Send a signal to the process."""
        os.kill(self._process.pid, number)

    def wait(self, seconds=LONGEST):
        """Wait until the process has ended; return its exit code, None if it goes on."""
        self._process.join(seconds)
        return self._process.exitcode

    def __exit__(self, *error):
        """Wait for the end, or kill the process after an error."""
        if error[0] is not None:
            self._process.kill()
        self._process.join()
        self.stdout.close()


def _run(main, arguments, out):
    os.dup2(out.fileno(), 1)
    out.close()
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 (for as long as the process lives)
    main(*map(str, arguments))
