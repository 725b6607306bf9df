"""Every example runs, with few rows, and warns of nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ROWS, FEW = 3000, {"digits_by_factor_analysers": 500}
"""Rows that examples are run with, and those that take long with so many."""

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_there_are_examples():
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.stem)
def test_runs(script, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", script, "--rows", str(FEW.get(script.stem, ROWS))],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert done.stderr == ""
