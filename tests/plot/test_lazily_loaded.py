"""Matplotlib is loaded when something is drawn, and not before."""

import subprocess
import sys

import pytest


@pytest.mark.slow  # starts Python
def test_importing_loads_no_matplotlib():
    code = "import sys, daskgmm.plot\nprint('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
