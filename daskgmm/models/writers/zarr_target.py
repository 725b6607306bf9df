"""The Zarr group that predictions are written to: begun, gone on with, put in place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from daskgmm.errors import OutputError
from daskgmm.models.predictions.made_outputs import Outputs
from daskgmm.models.writers.about import in_zarr
from daskgmm.models.writers.cutting import CutRows
from daskgmm.models.writers.target import Target
from daskgmm.models.writers.writing import digest_of, region_of
from daskgmm.rows.zarr_nodes.obstore_backend import portable
from daskgmm.storage.address import Address

WRITE_ALL: Any = {"write_empty_chunks": True}
"""Chunks that hold only the fill value are written too: what is absent is not done yet."""

MARK = "n_components"
"""The attribute by which predictions are known: only these are written over."""


class ZarrTarget(Target):
    """A Zarr group."""

    kind = "group of predictions"

    def is_of_kind(self, path: Path) -> bool:
        """Return whether there are predictions, or nothing but a folder of that name."""
        try:
            about = json.loads((path / "zarr.json").read_bytes())
        except (OSError, ValueError):
            return False
        return MARK in about.get("attributes", {})

    def made_in(self, place: Address) -> str | None:
        """Return a digest of the metadata of the group and of all its arrays."""
        about = place.child("zarr.json").read()
        if about is None:
            return None
        arrays = map(place.child, sorted(place.names() - {"zarr.json"}))
        each = [array.child("zarr.json").read() for array in arrays]
        return hashlib.sha256(b"".join(filter(None, (about, *each)))).hexdigest()

    def make(self, cut: CutRows, outputs: Outputs, k: int, facts: Mapping[str, Any]) -> None:
        """Make the arrays of predictions of k components, empty, and their coordinates.

        `facts` say how they are made, see `about`.
        """
        layout, template = cut.layout, cut.template
        if template is not None:
            template.to_zarr(
                self.place.zarr_store,
                mode="a",
                zarr_format=3,
                consolidated=False,
                storage_options=self.place.zarr_options,
            )
        group = self._group("a")
        group.update_attributes({MARK: k, **in_zarr(facts)})
        for name, values in outputs.coordinates.items():
            group.create_array(name, data=_coordinate(values), dimension_names=(name,))
        mapping = {} if template is None else template.attrs
        about = {name: mapping[name] for name in ("grid_mapping",) if name in mapping}
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
                attributes={**each.attributes, **about},
                dimension_names=(*layout.dims, *each.dims),
                config=WRITE_ALL,
            )

    def arrays(self, outputs: Outputs) -> dict[str, Any]:
        """Return the arrays by name."""
        group = self._group("r+")
        return {each.name: _written_whole(portable(group[each.name])) for each in outputs.arrays}

    def finish(self, arrays: Mapping[str, Any], digests: Mapping[str, str]) -> None:
        """Put the group in its place."""
        if self.contested:
            self._compare(arrays, digests)
        for name, array in arrays.items():
            written, all_of_them = array.nchunks_initialized, array.nchunks
            if written < all_of_them:
                raise OutputError(
                    f"Of {name} in {self.place}, {all_of_them - written} of {all_of_them} "
                    "chunks are missing after all tasks have ended. Workers that do not share this "
                    "file system wrote them elsewhere: give a path or URL that all of them can "
                    "reach."
                )
        self._put_in_place()

    def _compare(self, arrays: Mapping[str, Any], digests: Mapping[str, str]) -> None:
        """Raise `OutputError` unless all that is read is what this run wrote."""
        group = self._group("r")
        for name, array in arrays.items():
            if _about(group[name]) != _about(array):
                raise self.overwritten(name)
        for region, digest in digests.items():
            where = region_of(region)
            if digest_of({name: array[where] for name, array in arrays.items()}) != digest:
                raise self.overwritten(f"rows {region}")

    def _group(self, mode: Any) -> Any:
        place = self.place
        return zarr.open_group(
            place.zarr_store, mode=mode, zarr_format=3, storage_options=place.zarr_options
        )


def _written_whole(array: Any) -> Any:
    """Return an array that writes chunks of the fill value too: `with_config` of Zarr 3.1.6."""
    return zarr.Array(zarr.AsyncArray(array.metadata, array.store_path, WRITE_ALL))


def _coordinate(values: Sequence[Any]) -> NDArray[Any]:
    """Return the values of a coordinate as Zarr holds them: whole numbers, or texts."""
    if all(isinstance(value, int) for value in values):
        return np.asarray(values, np.int64)
    # Format 3 of Zarr has no stable type of texts of a fixed length.
    return np.asarray(list(map(str, values)), np.dtypes.StringDType())


def _about(array: Any) -> str:
    """Return the metadata of an array as text, in which NaN is NaN."""
    return json.dumps(array.metadata.to_dict(), default=repr, sort_keys=True)
