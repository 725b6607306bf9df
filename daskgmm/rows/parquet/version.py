"""What tells a Parquet file from one that was written later in its place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from platform import node
from typing import Any

from daskgmm.rows.tables.arrow_columns import require

SURE = frozenset(
    ("etag", "e_tag", "ETag", "md5Hash", "content_md5", "generation", "version", "VersionId")
)
"""What differs for any other content, whatever the times are that go with it."""

FRACTION = re.compile(r"(?<=:\d\d)\.\d+")
"""Parts of a second in a time that is written out."""


@dataclass(frozen=True, slots=True)
class Version:
    """A Parquet file as it was when its footer was read.

    Attributes
    ----------
    told : mapping of str
        What the file system says, such as a size and a time.
    footer : str
        A digest of the footer.
    telling : bool
        Whether the footer holds statistics of each column, so that other values have another.
    machine : str
        Where it was read.
    """

    told: Mapping[str, str]
    footer: str
    telling: bool
    machine: str

    @classmethod
    def of(cls, metadata: Any, told: Mapping[str, str]) -> Version:
        """Return the version of a file with that footer, of which a file system told that."""
        return cls(told, _digest(metadata), _has_statistics(metadata), node())

    @property
    def stamp(self) -> str:
        """Differs for a file that was written again."""
        told = repr(sorted(self.told.items())).encode()
        return f"{hashlib.sha256(told).hexdigest()}-{self.footer}"

    def is_of(self, metadata: Any, told: Mapping[str, str], *, local: bool) -> bool:
        """Tell whether a file that is opened now is the same.

        Another machine may have a copy of a local file, or see its time otherwise; there the
        footer tells. Of a file in a store, what is told may be remembered from an earlier list.
        """
        # A store tells more of a file that is asked for than of one in a list.
        both = told.keys() & self.told.keys()
        both = both & SURE or both
        same = all(_alike(told[key], self.told[key]) for key in both)
        if local and (self.machine == node() or not self.telling):
            return same
        return (local or same) and self.footer == _digest(metadata)


def _alike(one: str, other: str) -> bool:
    """Tell whether two texts say the same, one of a list of a store and one of its answers.

    Entity tags come with quotes or without, times with parts of a second or without.
    """
    one, other = (each.removeprefix("W/").strip('"') for each in (one, other))
    rounded = FRACTION.sub("", one), FRACTION.sub("", other)
    return one == other or (rounded[0] == rounded[1] and (one in rounded or other in rounded))


def _digest(metadata: Any) -> str:
    footer = require("pyarrow").BufferOutputStream()
    metadata.write_metadata_file(footer)
    return hashlib.sha256(footer.getvalue()).hexdigest()


def _has_statistics(metadata: Any) -> bool:
    """Tell by the first row group, as writers make statistics of all or none."""
    if not metadata.num_row_groups:
        return True
    group = metadata.row_group(0)
    return all(group.column(leaf).is_stats_set for leaf in range(group.num_columns))
