"""A warning on a terminal has lines of its own, and the bar stays below it."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.waiting import LONGEST

pty = pytest.importorskip("pty", reason="no pseudo-terminals here")

WIDTH = 200


def on_a_terminal(*arguments):
    """Run a command whose standard error is a terminal; return what was written there."""
    import fcntl
    import struct
    import termios

    main, of_command = pty.openpty()
    fcntl.ioctl(of_command, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDTH, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(WIDTH)}
    running = subprocess.Popen(
        [sys.executable, "-m", "daskgmm", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=of_command,
        env=environment,
    )
    os.close(of_command)
    written = b""
    try:
        while part := os.read(main, 1 << 16):
            written += part
    except OSError:  # Linux: the other end is closed
        pass
    finally:
        os.close(main)
    assert running.wait(LONGEST) == 0, written
    return written.decode()


def screen(text):
    """Return the lines that a terminal shows at the end of a text."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.endswith("A") and part.startswith("\x1b["):
            row = max(0, row - int(part[2:-1] or 1))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif not part.startswith("\x1b["):
            before = lines[row].ljust(column)
            lines[row] = before[:column] + part + before[column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines]


def test_a_screen():
    assert screen("ab\r\nc\r\x1b[2Kd\x1b[1A\rx") == ["xb", "d"]


def test_a_warning_beside_a_running_bar_has_a_line_of_its_own(folder):
    np.save("x.npy", np.random.default_rng(0).normal(size=(500, 2)) * [1, 1e-3])
    written = on_a_terminal("fit", "x.npy", "-k", 2, "--seed", 0, "-o", "m.json")
    assert "batches" in written  # there was a bar
    lines = screen(written)
    (warning,) = [line for line in lines if "Warning: " in line and "reg_covar" in line]
    assert warning.startswith("Warning: ")
    assert not any("batches" in line for line in lines)  # and it is gone
    assert any(line.startswith("iteration 1  objective") for line in lines)
