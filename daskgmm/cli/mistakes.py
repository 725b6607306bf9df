"""Frequent mistakes, told before the libraries are imported that would find them, in seconds.

Only what is surely wrong is told here: whoever opens or writes a place knows the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click

from daskgmm.cli.options.completing import NamesOf, NewPlace, Place, PlaceOrUnfinished
from daskgmm.errors import SourceError
from daskgmm.loaded import loaded
from daskgmm.models.predictions.naming import check_outputs
from daskgmm.models.writers.naming import check_document
from daskgmm.models.writers.partial_places import is_unfinished
from daskgmm.names import PARQUET_SUFFIXES
from daskgmm.rows.csv.dialect import ALL_SUFFIXES
from daskgmm.storage.address import Address
from daskgmm.storage.answering import no_server, none_of
from daskgmm.storage.local import PATTERN, check_new, leads_nowhere, nothing_at, same_text
from daskgmm.storage.masking import StorageOptions

ONE_FILE = (*ALL_SUFFIXES, *PARQUET_SUFFIXES, ".nc", ".npy")
"""Ends of names of single files."""

ZARR_METADATA = ("zarr.json", ".zarray", ".zgroup", ".zmetadata")
"""Files of which an array or a group of Zarr has one."""

UNFINISHED = " A run that writes it has not ended: `daskgmm info {path}` tells of it."

CHECK = "Check the address and the credentials (--storage-option, or the environment)."


def check_places(params: Iterable[click.Parameter], given: Mapping[str, Any]) -> None:
    """Raise an error for paths of a command that lead nowhere, or may not be written.

    Parameters
    ----------
    params : iterable of click.Parameter
        All of the command.
    given : mapping
        Their values by name.
    """
    params = tuple(params)
    places = [each for each in params if isinstance(each.type, Place)]
    for param in places:
        if isinstance(param, click.Argument):
            for path in _paths(given, param):
                if isinstance(param.type, PlaceOrUnfinished) and is_unfinished(path):
                    continue
                _check_there(str(param.name), path)
                # A source of one's own, which opens its URLs in its own way, loads the table.
                if loaded("daskgmm.rows.sources") is None:
                    _check_url(path, given.get("storage_options"))
    for param in params:
        # Whatever adds names to a table loads it.
        names = given.get(str(param.name))
        if isinstance(param.type, NamesOf) and names and loaded(param.type.table) is None:
            check_outputs(names, param.type.names)
    others = [each for each in places if not isinstance(each.type, NewPlace)]
    read = [path for each in others for path in _paths(given, each)]
    for param in places:
        if isinstance(param.type, NewPlace):
            for path in _paths(given, param):
                _check_new(param.type, path, read, overwrite=bool(given.get("overwrite")))
                _check_server(path, given.get("storage_options"))


def _paths(given: Mapping[str, Any], param: click.Parameter) -> list[str]:
    value = given.get(str(param.name))
    return [path for path in (value if isinstance(value, tuple) else (value,)) if path]


def _check_there(name: str, path: str) -> None:
    """Raise if a path that an argument of this name gives leads nowhere, or to no model."""
    model = name.startswith("model")
    if leads_nowhere(path):
        if model:
            raise FileNotFoundError(
                f"There is no model file {path}. Check the path; `daskgmm fit` writes one."
            )
        unfinished = UNFINISHED.format(path=path) if is_unfinished(path) else ""
        raise FileNotFoundError(f"{nothing_at(path)}{unfinished}")
    if model and Path(path).exists():
        check_document(Address.of(path), "model file", "`daskgmm fit` or save_model")


def _check_url(path: str, options: StorageOptions | None) -> None:
    """Raise if a URL is that of a file or a Zarr node, and none is there or no server answers.

    Folders of Parquet files and patterns are left to what lists them.
    """
    if "://" not in path or any(mark in path for mark in PATTERN):
        return
    url = Address.of(path, options)
    if path.endswith(ONE_FILE):
        places = [url]
    elif path.rstrip("/").endswith(".zarr"):
        places = [url.child(name) for name in ZARR_METADATA]
    else:
        return
    _check_server(path, options)
    if not none_of((place.url for place in places), options):
        with url.explain(SourceError, f"{url} cannot be opened", CHECK):
            if any(place.exists() for place in places):
                return
    raise SourceError(f"{url} does not exist, or its server does not answer. {CHECK}")


def _check_server(path: str, options: StorageOptions | None) -> None:
    """Raise if no server answers at a URL."""
    if "://" in path and (reason := no_server(path, options)):
        raise SourceError(f"{Address.of(path, options)} cannot be opened: {reason}. {CHECK}")


def _check_new(kind: NewPlace, path: str, read: Iterable[str], *, overwrite: bool) -> None:
    """Raise if the name of an output is wrong, or something is there already."""
    place = same_text(path)
    # The command says of what it reads that it does not write it.
    if any(place == same_text(each) or fnmatchcase(place, same_text(each)) for each in read):
        return
    if kind.check is not None:
        kind.check(path)
    if "://" not in path:
        check_new(Path(path).expanduser(), path, overwrite=overwrite)
