"""A place that predictions are written to: begun, gone on with, put in place when whole."""

from __future__ import annotations

import json
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import numpy as np

from daskgmm.em.checkpoints.checkpoint import differing_versions, versions
from daskgmm.em.checkpoints.packing import MALFORMED
from daskgmm.errors import OutputError
from daskgmm.models.writers.journal import (
    FOLDER,
    place_of,
    sealed,
    whole_journal,
)
from daskgmm.models.writers.ownership import Owner, identified, parsed
from daskgmm.models.writers.partial_places import JOURNAL
from daskgmm.models.writers.tally import Tally
from daskgmm.models.writers.unlike import SAID, VALUES, WRITES, differing, unlike
from daskgmm.passes.configuration import Configuration
from daskgmm.rows.retries import retried
from daskgmm.storage.address import Address
from daskgmm.storage.local import (
    Shortage,
    check_place,
    remove_partial_files,
    same_text,
    shortage,
    written_path,
)
from daskgmm.storage.masking import shown
from daskgmm.user_warnings import warn_user

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

OURS = re.compile(rf"{FOLDER.pattern}(\.[0-9a-f]{{32}}\.removed)?")
"""Names of such folders, and of those that a run is about to remove."""

VERSIONS = "versions"
"""Name of the versions and of the kernel that the bits of what is written depend on."""

FORMER = {"identity", "done", "counts", "marks"}
"""What was in the journal of a run that wrote aside without a folder of its own."""


class Target(ABC):
    """A folder that is written at a place of its own and moved to its name when whole.

    On object stores, which cannot move, it is written in place: it is whole once the journal
    is gone.

    The run that took the place last owns it: the journal begins with its number, and is looked at
    before each note and at the end. A run that goes on from another shares its folder, for both
    write the same. A run of another kind has a folder of its own, so that what the loser still
    has on its way lands beside. At a URL that cannot be, so there each task looks whether its run
    holds the place before it writes, and a run that took it from another reads at the end again
    what it wrote.

    Parameters
    ----------
    address : Address
        Of a symbolic link, what it leads to is written; a URL of the local file system is a path.
    overwrite : bool
        Whether what is there may be replaced, once the new one is whole: local, of the same kind.
        What an interrupted run of another kind left may be removed then, anywhere.

    Attributes
    ----------
    writes : list of str
        Names of the arrays or columns, for messages.
    said : dict of str
        What is asked for in words, by the names of the identity, for messages.

    Raises
    ------
    FileExistsError
        If there is something that may not be replaced, or something else where it would be
        written until it is whole.
    FileNotFoundError
        If the folder that it names does not exist.
    OutputError
        If no file can be made in that folder.
    """

    kind: ClassVar[str]
    """What it is, in words for errors."""

    def __init__(self, address: Address, overwrite: bool = False) -> None:
        path, self.root = address.path, place_of(address)
        self.address, self._remote = address, path is None
        self.owner = Owner(uuid4().hex, address, self.root.suffixed(JOURNAL))
        self.contested = self._taken = self._former = False
        self._overwrite, self._about = overwrite, identified()
        self.writes: list[str] = []
        self.said: dict[str, str] = {}
        self._folder, self._folder_before = self.owner.run, ""
        self._made, self._versions = "", versions()
        self._versions_before: dict[str, Any] = {}
        if path is None:
            self._check_remote()
        else:
            self._path = written_path(path)
            self._check_local(self._path, overwrite)
            self._former = self._is_former()
            self._check_aside(Path(self.root.url))

    @abstractmethod
    def is_of_kind(self, path: Path) -> bool:
        """Return whether something local may be replaced, as it is what would be written."""

    @property
    def place(self) -> Address:
        """Address that this run writes to."""
        return self._place(self._folder)

    @property
    def guard(self) -> Owner | None:
        """Owner that tasks check before they write, where runs share a place."""
        return self.owner if self._remote else None

    def interrupted(self, identity: Mapping[str, Any]) -> Tally | None:
        """Return what an interrupted run of the same kind wrote; None to begin anew."""
        document = self._read()
        try:
            if not document["begun"] or document["identity"] != json.loads(json.dumps(identity)):
                return None
            self._folder_before, self._made = str(document["folder"]), document["made"]
            self._versions_before = dict(document.get(VERSIONS, {}))
            marks = {int(index): mark for index, mark in document["marks"].items()}
            counts = np.array([int(each) for each in document["counts"]], np.int64)
            done = {int(index) for index in document["done"]}
            tally = Tally(counts, done, marks, dict(document["digests"]))
            contested = bool(document["contested"])
        except MALFORMED:
            return None
        if self._made != self.made_in(self._place(self._folder_before)):
            return None
        self.contested = contested
        return tally

    def check_like(self, identity: Mapping[str, Any], *, values: bool) -> None:
        """Raise `FileExistsError` if beginning anew would remove what a run of another kind wrote.

        `values` says that the rows are known to have other values. What a run left that is torn
        or spoiled no run goes on from: that is removed.
        """
        document = self._read()
        if self._overwrite or not document.get("begun") or not document.get("done"):
            return
        names = differing(document.get("identity"), json.loads(json.dumps(identity)))
        names = names or ([VALUES] if values else [])
        if names:
            raise unlike(self.root, document, names, self.writes, self.said)

    def go_on(self, identity: Mapping[str, Any], tally: Tally) -> None:
        """Take the place of the run that wrote what is tallied; it stops at its next note.

        Warn if its kernel or libraries were others.
        """
        differ = differing_versions(self._versions_before) if tally.done else ""
        if differ:
            warn_user(
                f"What there is at {self.root} was written {differ}. The run resumes, but not "
                "necessarily with the same bits."
            )
        self._folder = self._folder_before
        with self._alone():
            self._write(identity, tally, begun=True)

    def note(self, identity: Mapping[str, Any], tally: Tally) -> None:
        """Write down what is done."""
        with self._alone():
            self.owner.check()
            self._write(identity, tally, begun=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Say of whatever fails that another run has taken the place, or that the disk is full."""
        try:
            yield
        except Exception as error:
            cause = None if isinstance(error, OutputError) else self.address.harmless(error)
            if self._taken and not self._holds():
                self._leave()
                raise self.owner.lost() from cause
            if short := shortage(error):
                raise self._full(error, short) from cause
            raise

    def _full(self, error: Exception, short: Shortage) -> OutputError:
        """Return the error of a run that finds no space, with what it leaves behind."""
        before = "" if self._remote else " What was there before is whole."
        remedy = short.remedy.capitalize()
        begun = f" {self.root} holds what is written so far." if self._taken else ""
        return OutputError(
            f"{self.address} cannot be written, as {short.what}: "
            f"{self.address.described(error)}.{before}{begun} {remedy}: the same "
            "call or command resumes from there. Or choose another place."
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other runs here from taking the place between a look at the journal and a note."""
        if self._remote or fcntl is None:
            yield
            return
        folder = os.open(Path(self.root.url).parent, os.O_RDONLY)
        try:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _holds(self) -> bool:
        try:
            return self.owner.holds()
        except Exception:  # of whatever kind the file system's library raises
            return True

    def _leave(self) -> None:
        """Remove what this run wrote, if it is nobody else's."""
        if not self._remote and self._read().get("folder") != self._folder:
            _remove_aside(Path(self.place.url))
            self._remove_root()

    def _read(self) -> dict[str, Any]:
        """Return the journal; empty if there is none, or none that is whole, to go on from."""
        return whole_journal(self._journal.read())

    def _write(self, identity: Mapping[str, Any], tally: Tally, *, begun: bool) -> None:
        document = {
            "run": self.owner.run,  # first, see Owner.head
            "folder": self._folder,
            **self._about,
            "begun": begun,
            "contested": self.contested,
            "identity": identity,
            "done": sorted(tally.done),
            "counts": tally.counts.tolist(),
            "marks": {str(index): mark for index, mark in tally.marks.items()},
            "digests": tally.digests,
            "made": self._made,
            WRITES: self.writes,
            SAID: self.said,
            VERSIONS: self._versions,
        }
        self._journal.replace(json.dumps(sealed(document)).encode())
        self._taken = True

    @property
    def _journal(self) -> Address:
        return self.owner.journal

    def _place(self, folder: str) -> Address:
        return self.root if self._remote else self.root.child(folder)

    def made_in(self, place: Address) -> str | None:
        """Return a digest of what was made there to be filled; None if there is nothing."""
        return "" if place.exists() else None

    def begin(self, identity: Mapping[str, Any], tally: Tally, make: Callable[[], None]) -> None:
        """Take the place from whoever has it, and `make` what is to be filled there."""
        self.contested = self._remote and self._journal.exists()
        with self._alone():
            self._write(identity, tally, begun=False)
        if self._remote:
            # Where folders are real, the loser's last chunk may come as they are removed.
            retried(self._clear, Configuration.current().retries)
        make()
        # A URL has no folder before there is a file in it.
        self._made = self.made_in(self.place) or ""
        self.note(identity, tally)
        self._remove_others()

    def _remove_others(self) -> None:
        """Remove what interrupted runs of other kinds left; what is no run's stays."""
        if self._remote:
            return
        with suppress(FileNotFoundError):  # the loser of two has removed what is empty
            for each in list(Path(self.root.url).iterdir()):
                if each.name != self._folder and (self._former or OURS.fullmatch(each.name)):
                    _remove_aside(each)
        self._former = False

    def check_apart(self, origins: Iterable[str]) -> None:
        """Raise `OutputError` if writing here would remove data."""
        # Where the target is written until it is whole is emptied too.
        for origin in self._removed_of(origins, (self._final, self.root)):
            raise OutputError(
                f"{self.address} is where the data are, at {shown(origin)}, which would be "
                "removed. Choose another place."
            )

    def _removed_of(self, origins: Iterable[str], places: Iterable[Address]) -> Iterator[str]:
        """Yield those that are at or in one of the places, as far as there is something."""
        there = tuple(f"{same_text(place.url)}/" for place in places if place.exists())
        if not there:
            return
        seen = set[str]()
        for origin in origins:
            if origin not in seen and f"{same_text(origin)}/".startswith(there):
                yield origin
            seen.add(origin)

    @property
    def _final(self) -> Address:
        return self.root if self._remote else Address.of(self._path)

    def overwritten(self, what: str) -> OutputError:
        """Return the error of a run that finds what it wrote replaced; it can only begin anew."""
        self.discard()
        return OutputError(
            f"Another run wrote to {self.address} after this one had taken the place: {what} "
            "are not what this one wrote. All of it is removed; make sure that the other run has "
            "ended, and run this again."
        )

    def discard(self) -> None:
        """Remove what is written: nothing can go on from it."""
        if not self._holds():
            self._leave()
            return
        if not self._remote:
            self._remove_others()
            _remove_aside(Path(self.place.url))
            self._remove_root()
        else:
            self._clear()
        self._remove_journal()
        self._taken = False

    def _clear(self) -> None:
        if self.place.exists():
            self.place.remove()

    def _remove_journal(self) -> None:
        if self._journal.exists():
            self._journal.remove()
        if not self._remote:
            remove_partial_files(Path(self._journal.url))

    def _put_in_place(self) -> None:
        """Give what is whole its name."""
        with self._alone():
            self.owner.check()
            if not self._remote:
                self._move()
            if self._holds():
                # Late chunks of a run that lost make their folder again.
                self._remove_others()
                self._remove_journal()
                self._remove_root()

    def _remove_root(self) -> None:
        if not self._remote:
            with suppress(OSError):
                Path(self.root.url).rmdir()

    def _move(self) -> None:
        if self._path.exists() and not self._overwrite:
            raise FileExistsError(
                f"{self._path} exists by now: another run has written it. What this one wrote is "
                f"whole in {self.place}: move it to another name to keep it."
            )
        place = Path(self.place.url)
        _remove_torn(place)
        _move(place, self._path)

    def _check_remote(self) -> None:
        if not self._journal.exists() and self.place.exists():
            raise FileExistsError(
                f"{self.address} exists, and folders at a URL are not overwritten in one "
                "step. Choose another place (--out), or remove it first."
            )
        self.root.check_place(OutputError)

    def _check_local(self, path: Path, overwrite: bool) -> None:
        check_place(path, str(path), OutputError)
        if path.exists() and not overwrite:
            raise FileExistsError(
                f"{path} exists. Choose another place (--out), or replace it with overwrite=True "
                "(--overwrite)."
            )
        if path.exists() and not self.is_of_kind(path):
            raise FileExistsError(
                f"{path} exists and is not a {self.kind}, so it is not overwritten. Choose another "
                "place (--out), or remove it first."
            )

    def _check_aside(self, root: Path) -> None:
        """Refuse to write among what no run has written: it would have to be told apart."""
        if self._former or not (root.exists() or root.is_symlink()):
            return
        strange: Path | None = root
        if root.is_dir() and not root.is_symlink():
            with suppress(FileNotFoundError):  # a run that ends has removed it
                strange = next((e for e in root.iterdir() if not OURS.fullmatch(e.name)), None)
        if strange is not None:
            raise FileExistsError(
                f"{self.address} is written in {root} until it is whole, and {strange} was not "
                "left there by a run that writes predictions. Give that another name, or choose "
                "another place (--out)."
            )

    def _is_former(self) -> bool:
        """Return whether what lies aside is of a run that had no folder of its own there yet."""
        return parsed(self._journal.read()).keys() == FORMER


def _remove_torn(folder: Path) -> None:
    """Remove what a killed process was about to write, aside: Zarr's chunks, and other files."""
    for left in folder.rglob("*.partial"):
        left.unlink(missing_ok=True)


def _remove_aside(path: Path) -> None:
    """Remove a file or folder that a run that lost may still write to: nobody finds it half."""
    aside = path.with_name(f"{path.name}.{uuid4().hex}.removed")
    with suppress(FileNotFoundError):
        path.rename(aside)
        shutil.rmtree(aside, ignore_errors=True) if aside.is_dir() else aside.unlink()


def _move(aside: Path, target: Path) -> None:
    """Move what is whole into place; what was there goes once the new one has its name."""
    if not target.exists():
        aside.rename(target)
        return
    old = target.with_name(f"{target.name}.replaced-{uuid4().hex}")
    target.rename(old)
    try:
        aside.rename(target)
    except BaseException:
        old.rename(target)
        raise
    Address.of(old).remove()
