"""Versions of Parquet files, which tell whether a file was written again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from platform import node
from typing import Any

from daskgmm.rows.tables.requiring import require

SURE = frozenset(
    ("etag", "e_tag", "ETag", "md5Hash", "content_md5", "generation", "version", "VersionId")
)
"""Details that differ for any other content, so that times do not count beside them."""

FRACTION = re.compile(r"(?<=:\d\d)\.\d+")
"""Parts of a second in the text of a time."""


@dataclass(frozen=True, slots=True)
class Version:
    """A Parquet file as it was when its footer was read.

    Attributes
    ----------
    details : mapping of str
        Details from the file system, such as a size and a time.
    footer : str
        A digest of the footer.
    telling : bool
        Whether the footer has statistics of each column, and so differs for other values.
    machine : str
        Name of the machine that read it.
    """

    details: Mapping[str, str]
    footer: str
    telling: bool
    machine: str

    @classmethod
    def of(cls, metadata: Any, details: Mapping[str, str]) -> Version:
        """Return the version of a file with this footer and these details."""
        return cls(details, _digest(metadata), _has_statistics(metadata), node())

    @property
    def stamp(self) -> str:
        """A text that differs for a file that was written again."""
        details = repr(sorted(self.details.items())).encode()
        return f"{hashlib.sha256(details).hexdigest()}-{self.footer}"

    def is_of(self, metadata: Any, details: Mapping[str, str], *, local: bool) -> bool:
        """Return whether a file that is opened now is the same.

        Another machine may have a copy of a local file, or see another time of it: there only the
        footer counts. In a store both count, as details may come from an earlier list.
        """
        # A store has more details of a single file than of one in a list.
        both = details.keys() & self.details.keys()
        both = both & SURE or both
        same = all(_alike(details[key], self.details[key]) for key in both)
        if local and (self.machine == node() or not self.telling):
            return same
        return (local or same) and self.footer == _digest(metadata)


def _alike(one: str, other: str) -> bool:
    """Return whether two details are equal, one from a list of a store and one of a single file.

    Entity tags come with quotes or without, times with parts of a second or without.
    """
    one, other = (text.removeprefix("W/").strip('"') for text in (one, other))
    rounded = FRACTION.sub("", one), FRACTION.sub("", other)
    return one == other or (rounded[0] == rounded[1] and (one in rounded or other in rounded))


def _digest(metadata: Any) -> str:
    footer = require("pyarrow").BufferOutputStream()
    metadata.write_metadata_file(footer)
    return hashlib.sha256(footer.getvalue()).hexdigest()


def _has_statistics(metadata: Any) -> bool:
    """Return whether the first row group has statistics; writers make them for all or none."""
    if not metadata.num_row_groups:
        return True
    group = metadata.row_group(0)
    return all(group.column(leaf).is_stats_set for leaf in range(group.num_columns))
