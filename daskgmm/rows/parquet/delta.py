"""Delta Lake tables: the live files in their log, and the columns that partition them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from posixpath import basename
from typing import Any
from urllib.parse import unquote

from fsspec.implementations.local import LocalFileSystem

from daskgmm.errors import SourceError
from daskgmm.rows.parquet.formats import DELTA
from daskgmm.rows.parquet.table_formats import LoggedTable
from daskgmm.rows.tables.requiring import require
from daskgmm.storage.address import Address
from daskgmm.storage.masking import shown

PLAIN_FEATURES = frozenset(
    {
        "timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "typeWidening",
        "typeWidening-preview", "variantType", "variantType-preview", "variantShredding-preview",
        # These have checks of their own:
        "columnMapping", "deletionVectors",
    }
)  # fmt: skip
"""Features of tables whose live files can be read as they are."""

COPY = (
    "or copy what the table holds, as with spark.read.format('delta').load(path)"
    ".write.parquet('copy.parquet'), and give the path of the copy."
)


Live = tuple[str, Mapping[str, Any], Mapping[str, Any]]
"""Path of a live file below its table, and the columns `DataFile.partition` and `table`."""


def live_files(table: LoggedTable, address: Address) -> tuple[Live, ...]:
    """Return the live files of a table, read with the options of an address.

    Files older than a column lack it, and it is null there. Columns that the table has dropped are
    not read.
    """
    root, deltalake = table.root, _deltalake(table.root)
    what = f"{shown(root)} is a Delta Lake table, and its log cannot be read"
    advice = f"Check {DELTA.folder}, and that its files may be read."
    with address.explain(SourceError, what, advice), _local(table.system, root) as place:
        return tuple(_live(deltalake.DeltaTable(place), root))


def _live(table: Any, root: str) -> Iterator[Live]:
    _check_plain(table, root)
    arrow = require("pyarrow")
    columns = {field.name: arrow.scalar(None, field.type) for field in arrow.schema(table.schema())}
    actions = arrow.table(table.get_add_actions())
    for index, path in enumerate(actions["path"].to_pylist()):
        if "://" in path or path.startswith("/"):
            raise SourceError(
                f"{shown(root)} is a shallow clone: its log names files of another Delta Lake "
                f"table, such as {shown(path)}. Give the path of that table, {COPY}"
            )
        values = actions["partition"][index] if "partition" in actions.column_names else {}
        # The log writes paths as URLs do.
        yield unquote(path), dict(values.items()), columns


def _check_plain(table: Any, root: str) -> None:
    """Raise `SourceError` if live files hold other rows or columns than the table."""
    features = set(table.protocol().reader_features or ())
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        raise SourceError(
            f"{shown(root)} is a Delta Lake table with column mapping: its files call the columns "
            f"otherwise than the table does. Write it anew without, {COPY}"
        )
    if "deletionVectors" in features and _has_deletion_vectors(table):
        raise SourceError(
            f"{shown(root)} is a Delta Lake table with deletion vectors: its files still hold rows "
            "that were deleted. Purge them, as with REORG TABLE name APPLY (PURGE) in Spark, "
            f"{COPY}"
        )
    if others := sorted(features - PLAIN_FEATURES):
        raise SourceError(
            f"{shown(root)} is a Delta Lake table with the features {', '.join(others)}, which "
            f"daskgmm does not know. Give a table without, {COPY}"
        )


def _has_deletion_vectors(table: Any) -> bool:
    try:
        return any(len(batch) for batch in table.deletion_vectors())
    except Exception:
        # Vectors in files of their own are missing in a copy of the log, so there are some.
        return True


@contextmanager
def _local(system: Any, root: str) -> Iterator[str]:
    """Yield a local directory that holds the log: that of the table, or else a copy.

    The file systems of deltalake are not those of fsspec, and their options have other names.
    """
    if isinstance(system, LocalFileSystem):
        yield root
        return
    with tempfile.TemporaryDirectory(prefix="daskgmm-") as copy:
        log = f"{root}/{DELTA.folder}"
        system.invalidate_cache(log)
        for file in _since_checkpoint(system, log):
            target = Path(copy) / DELTA.folder / file[len(log) :].lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(system.cat_file(file))
        yield copy


def _since_checkpoint(system: Any, log: str) -> list[str]:
    """Return the files of a log from the last checkpoint on, which suffice.

    If the file that names the checkpoint is damaged, return all files.
    """
    files = [file for file in system.find(log) if not file[len(log) :].startswith("/_change")]
    last = next((file for file in files if basename(file) == "_last_checkpoint"), None)
    first = 0
    if last:
        with suppress(ValueError, KeyError, TypeError):
            first = int(json.loads(system.cat_file(last))["version"])
    return [file for file in files if _version(basename(file), first) >= first]


def _version(name: str, otherwise: int) -> int:
    return int(name[:20]) if name[:20].isdigit() and len(name) > 20 else otherwise


def _deltalake(root: str) -> Any:
    try:
        import deltalake
    except ImportError as error:
        raise SourceError(
            f"{shown(root)} is a Delta Lake table, whose log is read with deltalake, and that "
            f"cannot be imported ({error}). Install it: pip install 'daskgmm[delta]'"
        ) from error
    return deltalake
