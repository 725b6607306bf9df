"""Tests of a module of scikit-learn's installed wheel."""

import pytest


def taken(module, without, long):
    """Return the tests of a module by their names; the long ones are marked slow."""
    names = [name for name in vars(module) if name.startswith("test_") and name not in without]
    found = {name: getattr(module, name) for name in names}
    return found | {name: pytest.mark.slow(found[name]) for name in long}
