"""Zarr arrays and groups behind a path or a URL."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import zarr

from daskgmm.errors import SourceError
from daskgmm.readers import remedy
from daskgmm.rows.decoding.file_kinds import how_to_open
from daskgmm.rows.zarr_nodes.obstore_backend import portable
from daskgmm.storage.address import Address
from daskgmm.storage.emptiness import nothing_in
from daskgmm.storage.local import nothing_at

CODEC_BATCH = 16
"""Chunks that Zarr decodes as one job: small chunks are read twice as fast as with its default
of 1 (0.14 ms each instead of 0.28), large ones as fast. The array keeps it, pickled too."""

CHECK = (
    "Check the address (of a server of your own: the endpoint) and the credentials, in "
    "storage_options (--storage-option) or the environment."
)

REPAIRED = "(Array .*: )?The stored chunk "
"""How Zarr, from 3.4 on, begins to say that it reads impossible chunks as others."""

LISTED_ARRAYS = 10
"""Largest number of arrays of a group that an error message lists."""


def open_zarr(address: Address) -> Any:
    """Open a Zarr array for reading; raise `SourceError` for a group or nothing."""
    node = open_node(address)
    if isinstance(node, zarr.Group):
        raise SourceError(group_refused(address, node))
    return node


def open_node(address: Address) -> Any:
    """Open a Zarr array or group for reading."""
    with (
        address.explain(SourceError, f"{address} cannot be opened", CHECK),
        zarr.config.set({"codec_pipeline.batch_size": CODEC_BATCH}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("error", REPAIRED, UserWarning)
        try:
            store, options = address.zarr_store, address.zarr_options
            return portable(zarr.open(store=store, mode="r", storage_options=options))
        except UserWarning as told:
            raise SourceError(f"{address} has metadata that are damaged: {told}") from None
        except (FileNotFoundError, FileExistsError):  # the second of Zarr 3.1.2, for a file
            # zarr's own NodeNotFoundError is a FileNotFoundError too.
            is_other = not address.is_url and address.exists()
            raise SourceError(
                nothing_in(address) or (_not_zarr(address) if is_other else missing(address))
            ) from None


def missing(address: Address, *, is_file: bool = False) -> str:
    """Return the message for a path or URL without a Zarr array, or that is no file's."""
    how = how_to_open(address)
    if address.is_url and (is_file or (how and _is_absent(address))):
        return f"{address} does not exist. {CHECK}"
    if address.is_url and how:
        return how
    if address.is_url:
        return (
            f"{address} does not exist, or holds no Zarr array. Check the path; it is looked up at "
            "that address. If it is a folder of Parquet files or a Delta Lake table, "
            f"{remedy('open it with daskgmm.open_parquet(url), or write', 'write')} "
            "url/**/*.parquet."
        )
    return nothing_at(str(address))


def _is_absent(address: Address) -> bool:
    with suppress(Exception):  # of whatever kind the file system's library raises
        return not address.exists()
    return False


def _not_zarr(address: Address) -> str:
    return how_to_open(address) or (
        f"{address} exists but is not a Zarr array: it has no zarr.json and no .zarray. Give the "
        "directory that has one, Parquet files, or a .npy file."
    )


def group_refused(address: Address, group: Any) -> str:
    """Return the message for a group in place of an array, with the arrays in it."""
    try:
        arrays = sorted(
            (path, node.shape)
            for path, node in group.members(max_depth=None)
            if isinstance(node, zarr.Array)
        )
    except Exception:
        # Some stores, HTTP for one, cannot list what they hold.
        return f"{address} is a Zarr group, not an array; give the path of one of its arrays."
    if not arrays:
        return f"{address} is a Zarr group without arrays; give the path of a Zarr array."
    listed = "".join(f"\n  {path} {shape}" for path, shape in arrays[:LISTED_ARRAYS])
    more = len(arrays) - LISTED_ARRAYS
    return (
        f"{address} is a Zarr group, not an array; give one of its arrays, for example "
        f"{str(address).rstrip('/')}/{arrays[0][0]}. It holds:{listed}"
        + (f"\n  and {more} more" if more > 0 else "")
        + "\nTo take several as features, "
        + remedy("open them with open_data(path, variables=[...]).", "name them with --variables.")
    )
