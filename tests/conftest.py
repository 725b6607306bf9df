"""Two speeds: what starts clusters, kills processes or runs servers is marked `slow`."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent

SLOW = ("deploy", "stores")
"""Folders of which all tests are: Slurm, Kubernetes, network namespaces, containers, S3."""


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(HERE) and item.path.relative_to(HERE).parts[0] in SLOW:
            item.add_marker(pytest.mark.slow)
