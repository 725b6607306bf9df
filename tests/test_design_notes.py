"""Notes on design name files that are there, and the map names every folder."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "daskgmm"
NOTES = sorted(PACKAGE.rglob("DESIGN.md"))
NAMED = re.compile(r"`([\w/]+(?:\.py|/))`")


def _is_there(name: str, note: Path) -> bool:
    if name.startswith("test_"):  # one of several, the folder of which stands before
        return any((ROOT / "tests").rglob(name))
    return any((folder / name).exists() for folder in (note.parent, PACKAGE, ROOT))


@pytest.mark.parametrize("note", NOTES, ids=[str(note.relative_to(PACKAGE)) for note in NOTES])
def test_files_named_in_a_note_are_there(note):
    names = NAMED.findall(note.read_text())
    assert names
    assert [name for name in names if not _is_there(name, note)] == []


def test_the_map_names_every_folder():
    text = (PACKAGE / "DESIGN.md").read_text()
    folders = [path.parent.name for path in PACKAGE.glob("*/__init__.py")]
    assert [name for name in folders if f"`{name}/`" not in text] == []


@pytest.mark.parametrize("name", ["em", "gaussian", "rows", "models", "cli"])
def test_a_note_names_every_folder_below_it(name):
    text = (PACKAGE / name / "DESIGN.md").read_text()
    folders = [path.parent.name for path in (PACKAGE / name).glob("*/__init__.py")]
    assert [folder for folder in folders if f"{folder}/" not in text] == []
