"""Conformance tests for entries of daskgmm's tables.

Subclass one, name the entry, and let pytest collect the class:

    from daskgmm.testing import CovarianceTests

    class TestMyStructure(CovarianceTests):
        structure = MyStructure()
"""

from __future__ import annotations

from daskgmm.testing.backends import BackendTests
from daskgmm.testing.covariance import CovarianceTests
from daskgmm.testing.estimators import EstimatorTests
from daskgmm.testing.executors import ExecutorTests
from daskgmm.testing.outputs import OutputTests
from daskgmm.testing.priors import PriorTests
from daskgmm.testing.sources import SourceTests
from daskgmm.testing.writers import WriterTests

__all__ = [
    "BackendTests",
    "CovarianceTests",
    "EstimatorTests",
    "ExecutorTests",
    "OutputTests",
    "PriorTests",
    "SourceTests",
    "WriterTests",
]
