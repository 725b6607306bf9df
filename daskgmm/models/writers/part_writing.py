"""Predictions of one batch, written beside its keys: a Parquet file for each chunk."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import numpy as np

from daskgmm.errors import OutputError
from daskgmm.gaussian.block import Block
from daskgmm.models.predictions.made_outputs import Outputs
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.writers.about import in_parquet
from daskgmm.models.writers.marks import marked
from daskgmm.models.writers.ownership import Owner
from daskgmm.models.writers.parquet_target import part_name
from daskgmm.models.writers.tally import Arrays, WrittenBatch
from daskgmm.models.writers.writing import counts_of, n_counts
from daskgmm.passes.batches import UNKNOWN_CHUNK_SPAN, Batch
from daskgmm.passes.keyed_task import KeyedBlock
from daskgmm.rows.parquet.files import CHECKED
from daskgmm.rows.retries import retried
from daskgmm.rows.tables.requiring import require
from daskgmm.storage.address import Address

COMPONENTS = b"daskgmm.n_components"
"""Key of a file's metadata by which predictions are known."""

CLASSES = b"daskgmm.classes"
"""Key of the labels of the classes that predictions are of, a list of JSON."""

ARRAYS = b"daskgmm.outputs"
"""Key of the names of the outputs, a list of JSON; files of earlier versions have none."""

GROUP_BYTES = 4 << 20
"""Decoded bytes of a row group: what a writer holds."""


@dataclass(frozen=True)
class PartWriting:
    """Predicts one batch and writes its files.

    Attributes
    ----------
    predictor : Predictor
    outputs : Outputs
    folder : Address
    keys : pyarrow.Schema
    facts : mapping
        How predictions are made, see `about`.
    retries : int
    guard : Owner or None
        Looked at before a file is put in its place, where another run may have taken that.
    compared : bool
        Whether files are compared at the end, as those of `Target.contested` places are.
    """

    predictor: Predictor
    outputs: Outputs
    folder: Address
    keys: Any
    facts: Mapping[str, Any]
    retries: int
    guard: Owner | None = None
    compared: bool = False

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> WrittenBatch:
        """Write a file for each chunk of the batch."""
        parameters, rows = self.predictor.parameters, 0
        counts, digests = np.zeros(n_counts(parameters), np.int64), dict[str, str]()
        mark, blocks = marked(blocks)
        keyed = cast("Iterator[KeyedBlock]", blocks)
        for chunk, parts in groupby(keyed, key=lambda block: block.chunk):
            before = rows
            with self._writer(chunk, digests) as writer:
                for block in parts:
                    place = Place.of(batch).after(rows)
                    if batch.rows is None:  # as of partitions that are predicted lazily
                        first = chunk * UNKNOWN_CHUNK_SPAN + rows - before
                        place = place.numbered(partial(np.add, first))
                    arrays = self.outputs.predict(self.predictor, block.x, place)
                    writer.add(self._table(block.keys, arrays))
                    counts = counts + counts_of(arrays, self.outputs, parameters)
                    rows += len(block.x)
        return WrittenBatch(batch.index, rows, np.append(counts, rows), (), mark, digests)

    @property
    def schema(self) -> Any:
        """The schema of the files, but for `facts`: a run may go on from one of a moved model."""
        arrow, schema = require("pyarrow"), self.keys
        for name, values in columns_of(self.outputs, self.outputs.empty(0)):
            schema = schema.append(arrow.field(name, values.type))
        names = [output.name for output in self.outputs.arrays]
        mark = {COMPONENTS: str(self.predictor.parameters.n_components), ARRAYS: json.dumps(names)}
        if self.outputs.classes:
            mark[CLASSES] = json.dumps(self.outputs.classes, default=str)
        return schema.with_metadata({**(schema.metadata or {}), **mark})

    @property
    def _written_schema(self) -> Any:
        schema = self.schema
        return schema.with_metadata({**schema.metadata, **in_parquet(self.facts)})

    def _table(self, keys: Any, arrays: Arrays) -> Any:
        arrow = require("pyarrow")
        columns = [*keys.columns, *(values for _, values in columns_of(self.outputs, arrays))]
        return arrow.Table.from_arrays(columns, schema=self._written_schema)

    @contextmanager
    def _writer(self, chunk: int, digests: dict[str, str]) -> Iterator[_Writer]:
        """Write a file aside; put it in its place when it is whole.

        Where files are `compared`, its digest is kept by its name.
        """
        target = self.folder.child(part_name(chunk))
        with _aside(target) as path:
            writer = _Writer(path, self._written_schema)
            try:
                yield writer
            finally:
                writer.close()
            if self.compared:
                with path.open("rb") as file:
                    digests[part_name(chunk)] = hashlib.file_digest(file, "sha256").hexdigest()
            retried(partial(self._put, path, target), self.retries)

    def _put(self, path: Path, target: Address) -> None:
        if self.guard is not None:
            self.guard.check()
        target.put(path)


class _Writer:
    """Writes row groups of about `GROUP_BYTES`."""

    def __init__(self, path: Path, schema: Any) -> None:
        # Not empty_table, which some types refuse.
        self._waiting = [require("pyarrow").Table.from_batches([], schema)]
        self._file = require("pyarrow.parquet").ParquetWriter(path, schema, **CHECKED)

    def add(self, table: Any) -> None:
        """Take in rows."""
        self._waiting.append(table)
        if sum(each.nbytes for each in self._waiting) >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the footer."""
        with self._file:
            self._flush()

    def _flush(self) -> None:
        whole = require("pyarrow").concat_tables(self._waiting)
        if whole.num_rows:
            self._file.write_table(whole, row_group_size=whole.num_rows)
        self._waiting = [whole.slice(0, 0)]


@contextmanager
def _aside(target: Address) -> Iterator[Path]:
    """Yield a local path to write a file at before it is put in its place; gone afterwards."""
    final = target.path
    if final is None:
        handle, name = tempfile.mkstemp(suffix=".parquet", prefix="daskgmm-")
        os.close(handle)
        path = Path(name)
    else:
        if not final.parent.is_dir():
            raise OutputError(
                f"There is no folder {final.parent} where this task runs. Workers must share a "
                "file system: give a path or URL that all of them can reach."
            )
        # A name of its own: two workers may write the same, if one was taken for dead.
        path = final.with_name(f".{final.name}.{uuid4().hex}.partial")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def columns_of(outputs: Outputs, arrays: Arrays) -> Iterator[tuple[str, Any]]:
    """Yield the columns of arrays as arrays of Arrow, each after its name."""
    arrow = require("pyarrow")
    for output in outputs.arrays:
        values = arrays[output.name]
        if output.names:
            # Texts are what `predict` returns; Parquet stores each of them once a page.
            places = arrow.array(values, mask=values < 0)
            yield output.name, arrow.array(output.names).take(places)
            continue
        parts = values.T if values.ndim > 1 else [values]
        for name, part in zip(output.columns, parts, strict=True):
            yield name, arrow.array(part)
