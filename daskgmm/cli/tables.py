"""Names of the columns of a table, before the libraries are imported that fit it."""

from __future__ import annotations

from glob import iglob
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

from daskgmm.loaded import loaded
from daskgmm.names import PARQUET_SUFFIXES
from daskgmm.storage.address import Address
from daskgmm.storage.local import LOCAL

MOST_FILES = 10_000
"""Files of a folder that are looked at."""


def columns_of(path: str) -> tuple[str, ...] | None:
    """Return the columns of a local table, CSV or Parquet; None where it is not sure."""
    # A kind of source of one's own may have others; whatever adds one loads their table.
    if loaded("daskgmm.rows.sources") is not None:
        return None
    try:
        found = _file_of(Path(LOCAL.sub("", path)).expanduser())
        return None if found is None else _columns(*found)
    except Exception:  # whatever it is, whoever opens the file says it
        return None


def _file_of(path: Path) -> tuple[Path, tuple[str, ...]] | None:
    """Return a file whose columns all others of a table have, and columns that folders name."""
    if path.is_file():
        # What partitions the table that a file is of may be a column too.
        return None if "=" in str(path.absolute()) else (path, ())
    folders: list[Path] = []
    if path.is_dir():
        entries, folders = _entries(path), [path]
    else:
        entries = [Path(each) for each in islice(iglob(str(path)), MOST_FILES + 1)]  # noqa: PTH207
    keys: list[str] = []
    while entries and all("=" in each.name and each.is_dir() for each in entries):
        named = {each.name.partition("=")[0] for each in entries}
        if len(named) > 1 or not folders:
            return None
        keys.append(unquote(named.pop()))
        entries = _entries(entries[0])
    if "=" in str(path.absolute()) or not 0 < len(entries) <= MOST_FILES:
        return None
    plain = all(each.suffix in PARQUET_SUFFIXES and each.is_file() for each in entries)
    return (entries[0], tuple(keys)) if plain else None


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder, but files that Spark writes beside those of a table."""
    found = islice(folder.iterdir(), MOST_FILES + 1)
    return [each for each in found if each.is_dir() or each.name[0] not in "._"]


def _columns(file: Path, keys: tuple[str, ...]) -> tuple[str, ...] | None:
    if file.suffix in PARQUET_SUFFIXES:
        from pyarrow.parquet import read_schema

        names = tuple(read_schema(file, memory_map=True).names)
        return None if _is_logged(file) else (*names, *keys)
    from daskgmm.rows.csv.dialect import Dialect, is_csv

    if is_csv(str(file)):
        return Dialect().of_file(Address.of(file)).names
    return None


def _is_logged(file: Path) -> bool:
    """Return whether a file is perhaps of a table whose log says which columns there are."""
    from daskgmm.rows.parquet.formats import FORMATS

    logs = ((form, place / form.folder) for place in file.resolve().parents for form in FORMATS)
    return any(
        form.is_log(each.name) for form, log in logs if log.is_dir() for each in log.iterdir()
    )
