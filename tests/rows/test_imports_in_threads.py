"""Modules that several threads ask for at once come whole to each."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from daskgmm.loaded import loaded
from daskgmm.rows.tables.requiring import require


@pytest.fixture
def slow_module(tmp_path, monkeypatch):
    """Return the name of a module that takes its time to be imported."""
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(0.2)\nVALUE = 7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "slow_to_import"
    sys.modules.pop("slow_to_import", None)


@pytest.mark.parametrize("ask", [loaded, require])
def test_a_module_that_another_thread_imports_is_waited_for(slow_module, ask):
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(require, slow_module)
        while slow_module not in sys.modules:
            pass
        assert ask(slow_module).VALUE == 7
        assert asked.result().VALUE == 7


def test_what_was_not_imported_is_not_loaded():
    assert loaded("slow_to_import") is None
