"""A place that predictions are written to: begun, gone on with, put in place when whole."""

from __future__ import annotations

import json
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from daskgmm.errors import OutputError
from daskgmm.files import exists, is_url, read_bytes, remove, replace_bytes
from daskgmm.storage_options import shown

JOURNAL = ".progress.json"
"""What is added to the name of a target for that of its journal, a file beside it: as long as there
is one, the target is not whole."""

LOCAL = re.compile(r"^(\w+::)*(file|local)://")
"""What URLs of local paths begin with, through a cache or not."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a run has written so far.

    Attributes
    ----------
    done : set of int
        The batches of which every row is written.
    counts : list of int
        How many of their rows each component has, and at the end those without.
    marks : dict of str
        By batch: a digest of its first rows as they were read.
    """

    done: set[int]
    counts: list[int]
    marks: dict[int, str]


class Target(ABC):
    """A folder that is written at a place of its own and moved to its name when whole.

    On object stores, which cannot move, it is written in place: it is whole once the journal
    is gone.

    Parameters
    ----------
    out : str or path
        A local path or a URL.
    overwrite : bool
        Whether what is there may be replaced, once the new one is whole: local, of the same kind.
    storage_options : mapping, optional

    Raises
    ------
    FileExistsError
        If there is something that may not be replaced.
    FileNotFoundError
        If the folder that it names does not exist.
    """

    kind: ClassVar[str]
    """What it is, in words for errors."""

    def __init__(
        self,
        out: str | os.PathLike[str],
        overwrite: bool = False,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self._remote, self.place = os.fspath(out), is_url(out), place_of(out)
        # Options are of the URLs among the paths, and Zarr refuses them of others.
        self.options = storage_options if self._remote else None
        if self._remote:
            self._check_remote(overwrite)
        else:
            self._path = Path(out).expanduser()
            self._check_local(self._path, overwrite)

    @abstractmethod
    def is_of_kind(self, path: Path) -> bool:
        """Return whether something local may be replaced, as it is what would be written."""

    def kept(self, identity: Mapping[str, Any]) -> Kept | None:
        """Return what an interrupted run of the same kind wrote; None to begin anew."""
        content = read_bytes(self._journal, self.options)
        if not exists(self.place, self.options):
            return None
        try:
            document = {} if content is None else json.loads(content)
        except ValueError:
            return None
        if document.get("identity") != json.loads(json.dumps(identity)):
            return None
        marks = {int(index): mark for index, mark in document["marks"].items()}
        return Kept(set(document["done"]), list(document["counts"]), marks)

    def note(self, identity: Mapping[str, Any], kept: Kept) -> None:
        """Write down what is done."""
        document = {
            "identity": identity,
            "done": sorted(kept.done),
            "counts": kept.counts,
            "marks": kept.marks,
        }
        replace_bytes(self._journal, json.dumps(document).encode(), self.options)

    @property
    def _journal(self) -> str:
        return f"{self.place}{JOURNAL}"

    def _clear(self) -> None:
        """Remove what an interrupted run of another kind left."""
        if not self._remote:
            shutil.rmtree(self.place, ignore_errors=True)
        elif exists(self.place, self.options):
            remove(self.place, self.options)

    def check_apart(self, source: str | None) -> None:
        """Raise `OutputError` if writing here would remove the data at `source`."""
        if source is None:
            return
        target, data = same_text(self.name), same_text(source)
        # Where the target is written until it is whole is emptied too.
        if f"{data}/".startswith((f"{target}/", f"{same_text(self.place)}/")):
            raise OutputError(
                f"{self.name} is where the data are, at {source}, which would be removed. Choose "
                "another place."
            )

    def discard(self) -> None:
        """Remove what is written: nothing can go on from it."""
        self._clear()
        if exists(self._journal, self.options):
            remove(self._journal, self.options)

    def _put_in_place(self) -> None:
        """Give what is whole its name."""
        if not self._remote:
            _remove_torn(Path(self.place))
            _move(Path(self.place), self._path)
        remove(self._journal, self.options)

    def _check_remote(self, overwrite: bool) -> None:
        if exists(self._journal, self.options):
            return
        if exists(self.place, self.options):
            how = " Files at a URL are not overwritten in one step." if overwrite else ""
            raise FileExistsError(f"{shown(self.name)} exists.{how}")

    def _check_local(self, path: Path, overwrite: bool) -> None:
        if not path.parent.is_dir():
            raise FileNotFoundError(f"There is no folder {path.parent} for {path}. Make it first.")
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists.")
        if path.exists() and not self.is_of_kind(path):
            raise FileExistsError(f"{path} exists and is no {self.kind}, so it is not overwritten.")


def place_of(out: str | os.PathLike[str]) -> str:
    """Return where something is written that is to have that name."""
    if is_url(out):
        return os.fspath(out).rstrip("/")
    # Absolute, as workers may have been started elsewhere.
    path = Path(out).expanduser().absolute()
    return str(path.with_name(f"{path.name}.partial"))


def same_text(path: str) -> str:
    """Return the same text for paths or URLs of the same place."""
    path = LOCAL.sub("", path)
    return path.rstrip("/") if is_url(path) else str(Path(path).expanduser().resolve())


def left_behind(
    out: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
) -> str | None:
    """Return where a run that did not end has left what it wrote; None if there is no such run."""
    place = place_of(out)
    return place if exists(f"{place}{JOURNAL}", storage_options) else None


def _remove_torn(folder: Path) -> None:
    """Remove what a killed process was about to write, aside: Zarr's chunks, and other files."""
    for left in folder.rglob("*.partial"):
        left.unlink()


def _move(aside: Path, target: Path) -> None:
    """Move what is whole into place; what was there goes once the new one has its name."""
    if not target.exists():
        aside.rename(target)
        return
    old = target.with_name(f"{target.name}.replaced-{os.getpid()}")
    target.rename(old)
    try:
        aside.rename(target)
    except BaseException:
        old.rename(target)
        raise
    remove(old)
