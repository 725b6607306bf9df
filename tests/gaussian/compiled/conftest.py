"""Compiled libraries of this source, whether or not the package was installed with one."""

import os
from pathlib import Path

import pytest

from daskgmm.gaussian.kernels.compiled.building import SUFFIX, build, compiler, variants
from daskgmm.gaussian.kernels.compiled.library import FOLDER, libraries, library

TEST_KERNELS = "DASKGMM_TEST_KERNELS"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder with the libraries of this processor, or one that has others, as with sanitizers.

    It is the package's own where all of this source are there; each process would take 3 s to
    compile them again.
    """
    if TEST_KERNELS in os.environ:
        return Path(os.environ[TEST_KERNELS])
    there = all((FOLDER / f"{name}{SUFFIX}").exists() for name in variants())
    if there and libraries(FOLDER):
        return FOLDER
    if compiler() is None:
        pytest.skip("no C compiler (cc, or that of CC)")
    path = tmp_path_factory.mktemp("compiled")
    if not build(path):
        pytest.skip("no kernel for this processor or compiler")
    return path


@pytest.fixture(scope="session")
def loaded(folder):
    """All libraries that this processor runs."""
    found = libraries(folder)
    assert found, "one of those compiled is for this processor"
    return found


@pytest.fixture
def installed(folder, monkeypatch):
    """The package as if it was installed with these libraries."""
    monkeypatch.setattr("daskgmm.gaussian.kernels.compiled.library.FOLDER", folder)
    library.cache_clear()
    yield
    library.cache_clear()


@pytest.fixture
def missing(tmp_path, monkeypatch):
    """The package as if it was installed without a compiler."""
    monkeypatch.setattr("daskgmm.gaussian.kernels.compiled.library.FOLDER", tmp_path)
    library.cache_clear()
    yield
    library.cache_clear()
