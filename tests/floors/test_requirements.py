"""The lower bounds of pyproject.toml can be read, each one."""

import pytest
from packaging.version import Version

from tests.floors.requirements import direct, project

ABOUT = {
    "name": "own",
    "dependencies": ["numpy>=2.1", "dask[array]>=2025.7"],
    "optional-dependencies": {
        "plot": ["matplotlib>=3.8.4"],
        "docs": ["own[plot]", "Some_Data==0.2.0"],
        "open": ["pandas"],
        "capped": ["pandas>=2,<3"],
    },
}


def floors(*extras):
    return {one.name: str(one.floor) for one in direct(ABOUT, extras).values()}


def test_extras_of_the_project_are_resolved():
    always = {"numpy": "2.1", "dask": "2025.7"}
    assert floors() == always
    assert floors("docs") == {**always, "matplotlib": "3.8.4", "some-data": "0.2.0"}


@pytest.mark.parametrize("extra", ["open", "capped"])
def test_a_requirement_has_one_bound(extra):
    with pytest.raises(ValueError, match="pandas"):
        floors(extra)


def test_every_requirement_of_the_project_has_a_lower_bound():
    about = project()
    extras = about["optional-dependencies"]
    found = direct(about, extras)
    assert set(found) > {"numpy", "pandas", "matplotlib", "pytest"}
    assert found["numpy"].floor >= Version("2.1")
