"""Checks that this process finds the arrays that another process has opened.

Zarr reads a missing chunk as the fill value. So on a machine without the file system, or with
another endpoint in its environment, all rows would be zeros.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zarr
from numpy.typing import NDArray

from daskgmm.errors import SourceError
from daskgmm.rows.zarr_nodes.node import in_memory, location, metadata_file
from daskgmm.storage.masking import shown


def may_be_missing(values: NDArray[Any], fill: Any = None) -> bool:
    """Return whether all values may come from missing chunks: they are one, the fill value.

    Without a known fill value any one value is suspected.
    """
    if not values.size:
        return False
    first, last = values.flat[0], values.flat[-1]
    if first != first:  # NaN, or no time
        return bool(last != last and (values != values).all())
    if fill is not None and first != fill:
        return False
    return bool(first == last and (values == first).all())


def check_present(node: Any) -> None:
    """Refuse a Zarr array or group whose metadata this process does not find."""
    place = metadata_file(node)
    if place is not None:
        check_metadata_files((place,))
    elif not _is_answered(node):
        raise _unanswered(node)


def check_present_here(node: Any) -> None:
    """Refuse as `check_present` does, for local files and stores in memory only: ask no server."""
    if metadata_file(node) is not None or in_memory(node.store):
        check_present(node)


def metadata_files(x: Any) -> tuple[str, ...]:
    """Return the metadata files of local Zarr arrays in the layers of a Dask array.

    `dask.array.from_zarr`, `from_array` and xarray keep the array itself in a layer.
    """
    arrays = map(_stored_in, _values_in(x.dask.layers.values()))
    places = (None if array is None else metadata_file(array) for array in arrays)
    return tuple(dict.fromkeys(place for place in places if place is not None))


def check_metadata_files(places: tuple[str, ...]) -> None:
    """Raise `SourceError` unless all of these files exist here."""
    for place in places:
        if not Path(place).exists():
            raise _not_here(Path(place).parent)


def _values_in(layers: Any) -> Iterator[Any]:
    for layer in layers:
        if hasattr(layer, "indices"):
            yield from (value for value, axes in layer.indices if axes is None)
        elif len(layer) == 1:
            yield from layer.values()


def _stored_in(value: Any) -> Any:
    """Return the Zarr array in xarray's adapters and Dask's nodes, or None."""
    while not isinstance(value, zarr.Array):
        if type(value).__module__.partition(".")[0] not in ("dask", "xarray"):
            return None
        inner = (getattr(value, name, None) for name in ("value", "array", "_array"))
        value = next((x for x in inner if x is not None), None)
    return value


def _is_answered(node: Any) -> bool:
    opened: Any = zarr.open_group if isinstance(node, zarr.Group) else zarr.open_array
    # Stores of other libraries may not know how to be one that is only read.
    mode = "r" if node.store.read_only else "r+"
    try:
        opened(node.store, path=node.path, mode=mode, zarr_format=node.metadata.zarr_format)
    except FileNotFoundError:
        return False
    return True


def _not_here(path: Path) -> SourceError:
    return SourceError(
        f"{path} is not on {socket.gethostname()}, in the directory {Path.cwd()} of this "
        "process. Give an absolute path, or a URL, that driver and workers all see."
    )


def _unanswered(node: Any) -> SourceError:
    place, host = shown(location(node)), socket.gethostname()
    if in_memory(node.store):
        return SourceError(
            f"{place} is not in the memory of this process on {host}: only the one that wrote it "
            "has it. Write it to a path or URL that driver and workers all see."
        )
    return SourceError(
        f"{place} is not found from {host}. Either it was removed, or this process looks for it "
        "elsewhere: give endpoint and credentials in storage_options (--storage-option), "
        "not in the environment of the driver alone."
    )
