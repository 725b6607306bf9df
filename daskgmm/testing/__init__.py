"""Tests that whoever adds an entry to one of daskgmm's tables runs on it.

Subclass, name the entry, and let pytest collect the class; it needs nothing but NumPy and SciPy:

    from daskgmm.testing import CovarianceTests

    class TestMyStructure(CovarianceTests):
        structure = MyStructure()
"""

from __future__ import annotations

from daskgmm.testing.backends import BackendTests
from daskgmm.testing.covariance import CovarianceTests
from daskgmm.testing.priors import PriorTests

__all__ = ["BackendTests", "CovarianceTests", "PriorTests"]
