"""The Zarr group that predictions are written to: begun, gone on with, put in place."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from daskgmm.errors import OutputError
from daskgmm.files import exists, is_url, read_bytes, remove, replace_bytes
from daskgmm.models.outputs import Outputs
from daskgmm.rows.obstore_backend import portable

JOURNAL = ".progress.json"
"""What is added to the name of a group for that of its journal, a file beside it: as long as there
is one, the group is not whole."""

WRITE_ALL = {"write_empty_chunks": True}
"""Chunks that hold only the fill value are written too: what is absent is not done yet."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the arrays are cut.

    Attributes
    ----------
    dims : tuple of str
        Dimensions of the rows.
    shape, chunks : tuple of int
        Lengths of these, and of chunks along them.
    shards : tuple of int, or None
        Lengths of shards, in which chunks are kept.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None = None

    @property
    def unit(self) -> tuple[int, ...]:
        """What one process must write at once: a shard, or a chunk."""
        return self.chunks if self.shards is None else self.shards


class Target:
    """A group that is written at a place of its own and moved to its name when whole.

    On object stores, which cannot move, it is written in place: it is whole once the journal
    is gone.

    Parameters
    ----------
    out : str or path
        A local path or a URL.
    overwrite : bool
        Whether a local Zarr group may be replaced, once the new one is whole.
    storage_options : mapping, optional

    Raises
    ------
    FileExistsError
        If there is something that may not be replaced.
    FileNotFoundError
        If the folder that it names does not exist.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        overwrite: bool = False,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self._options = os.fspath(out), storage_options
        self._remote = is_url(out)
        self._place = _place(out)
        if self._remote:
            self._check_remote(overwrite)
        else:
            self._path = Path(out).expanduser()
            _check_local(self._path, overwrite)

    @property
    def _journal(self) -> str:
        return f"{self._place}{JOURNAL}"

    def _check_remote(self, overwrite: bool) -> None:
        if exists(self._journal, self._options):
            return
        if exists(self._place, self._options):
            how = " Files at a URL are not overwritten in one step." if overwrite else ""
            raise FileExistsError(f"{self.name} exists.{how}")

    def kept(self, identity: Mapping[str, Any]) -> tuple[set[int], list[int]] | None:
        """Return what an interrupted run of the same kind wrote; None to begin anew.

        Returns
        -------
        set of int
            The batches.
        list of int
            How many of their rows each component has.
        """
        content = read_bytes(self._journal, self._options)
        if not exists(self._place, self._options):
            return None
        try:
            document = {} if content is None else json.loads(content)
        except ValueError:
            return None
        if document.get("identity") != json.loads(json.dumps(identity)):
            return None
        return set(document["done"]), list(document["counts"])

    def begin(
        self,
        layout: Layout,
        outputs: Outputs,
        identity: Mapping[str, Any],
        template: Any,
        k: int,
        coordinates: Mapping[str, Sequence[int]],
    ) -> dict[str, Any]:
        """Make the arrays, empty; return them by name.

        Parameters
        ----------
        template : xarray.Dataset or None
            Coordinates to keep with them.
        k : int
            Components.
        coordinates : mapping
            Of dimensions that the rows do not have.
        """
        self._clear()
        self.note({}, set(), [])
        if template is not None:
            template.to_zarr(
                self._place,
                mode="a",
                zarr_format=3,
                consolidated=False,
                storage_options=self._options and dict(self._options),
            )
        group = self._group("a")
        group.attrs["n_components"] = k
        for name, values in coordinates.items():
            array = np.asarray(values, np.int64)
            group.create_array(name, data=array, dimension_names=(name,))
        for each in outputs.arrays:
            shards = None if layout.shards is None else (*layout.shards, *each.shape)
            fill = int(each.fill) if each.dtype.kind in "iu" else each.fill
            group.create_array(
                each.name,
                shape=(*layout.shape, *each.shape),
                chunks=(*layout.chunks, *each.shape),
                shards=shards,
                dtype=each.dtype,
                fill_value=fill,
                attributes=each.attributes,
                dimension_names=(*layout.dims, *each.dims),
                config=WRITE_ALL,
            )
        self.note(identity, set(), [0] * (k + 1))
        return self.arrays(outputs)

    def arrays(self, outputs: Outputs) -> dict[str, Any]:
        """Return the arrays by name."""
        group = self._group("r+")
        return {
            each.name: portable(group[each.name]).with_config(WRITE_ALL) for each in outputs.arrays
        }

    def note(self, identity: Mapping[str, Any], done: set[int], counts: list[int]) -> None:
        """Write down which batches are done, and how many rows of each component they have."""
        document = {"identity": identity, "done": sorted(done), "counts": counts}
        replace_bytes(self._journal, json.dumps(document).encode(), self._options)

    def finish(self, arrays: Mapping[str, Any]) -> None:
        """Put the group in its place.

        Raises
        ------
        OutputError
            If chunks are missing: workers wrote to another place of that name.
        """
        for name, array in arrays.items():
            written, all_of_them = array.nchunks_initialized, array.nchunks
            if written < all_of_them:
                raise OutputError(
                    f"Of {name} in {self._place}, {all_of_them - written} of {all_of_them} chunks "
                    "are missing after all tasks have ended. Workers that do not share this file "
                    "system wrote them elsewhere: give a path or URL that all of them can reach."
                )
        if not self._remote:
            _remove_torn(Path(self._place))
            _move(Path(self._place), self._path)
        remove(self._journal, self._options)

    def discard(self) -> None:
        """Remove what is written: nothing can go on from it."""
        self._clear()
        if exists(self._journal, self._options):
            remove(self._journal, self._options)

    def _group(self, mode: Any) -> Any:
        options = None if self._options is None else dict(self._options)
        return zarr.open_group(self._place, mode=mode, zarr_format=3, storage_options=options)

    def _clear(self) -> None:
        """Remove what an interrupted run of another kind left."""
        if not self._remote:
            shutil.rmtree(self._place, ignore_errors=True)
        elif exists(self._place, self._options):
            remove(self._place, self._options)


def left_behind(
    out: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
) -> str | None:
    """Return where a run that did not end has left what it wrote; None if there is no such run."""
    place = _place(out)
    return place if exists(f"{place}{JOURNAL}", storage_options) else None


def _place(out: str | os.PathLike[str]) -> str:
    """Return where a group is written."""
    if is_url(out):
        return os.fspath(out).rstrip("/")
    path = Path(out).expanduser()
    return str(path.with_name(f"{path.name}.partial"))


def _check_local(path: Path, overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} for {path}. Make it first.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists.")
    if path.exists() and not _is_zarr(path):
        raise FileExistsError(f"{path} exists and is no Zarr store, so it is not overwritten.")


def _is_zarr(path: Path) -> bool:
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))


def _remove_torn(group: Path) -> None:
    """Remove the chunks that a killed process was about to write: Zarr writes them aside."""
    for left in group.rglob("*.partial"):
        left.unlink()


def _move(aside: Path, target: Path) -> None:
    """Move a whole group into place; what was there goes once the new one has its name."""
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
    shutil.rmtree(old)
