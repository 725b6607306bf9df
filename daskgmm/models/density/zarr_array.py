"""Lazy rows written to a Zarr array."""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

from daskgmm.errors import OutputError
from daskgmm.models.writers.naming import check_array_name
from daskgmm.passes.executors.executor import ambient_client
from daskgmm.storage.address import Address
from daskgmm.storage.local import written_path

METADATA = ("zarr.json", ".zarray")
"""Files that a folder of a Zarr array has, of format 3 or 2."""


def check_free(address: Address, overwrite: bool) -> None:
    """Raise unless an array may be written there: a file error, or `OutputError` of its folder."""
    check_array_name(address.url)
    path = address.path
    address.check_place(OutputError)
    there = any(address.child(name).exists() for name in METADATA)
    if path is not None:
        path = written_path(path)
        if path.exists() and not there:
            raise FileExistsError(
                f"{address} exists and is not a Zarr array, so it is not replaced. Choose another "
                "place."
            )
    if there and not overwrite:
        raise FileExistsError(
            f"{address} exists. Choose another place, or replace it with overwrite=True."
        )


def write_array(rows: Any, address: Address, *, overwrite: bool) -> None:
    """Write lazy rows chunk by chunk, with the chunks that they have.

    A local array is written beside its place and moved there when whole; at a URL it is written in
    place.
    """
    ambient_client()  # an asynchronous one is refused
    check_free(address, overwrite)
    if address.path is None:
        options = address.zarr_options
        with _explained(address):
            rows.to_zarr(address.url, overwrite=overwrite, storage_options=options)
        return
    path = written_path(address.path)
    aside = _beside(path, "partial")
    try:
        with _explained(address):
            rows.to_zarr(os.fspath(aside))
        if path.exists():
            former = _beside(path, "removed")
            path.replace(former)
            aside.replace(path)
            shutil.rmtree(former)
        else:
            aside.replace(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _explained(address: Address) -> AbstractContextManager[None]:
    """Return what makes an error of a write one that names the array, and says what to do."""
    advice = "Check that you may write there."
    return address.explain(OutputError, f"The rows cannot be written to {address}", advice)


def _beside(path: Path, purpose: str) -> Path:
    return path.with_name(f".{path.name}.{uuid4().hex}.{purpose}")
