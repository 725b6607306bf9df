"""The journal of a run that writes predictions: where it is, and whether it is whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from daskgmm.em.checkpoints.checkpoint import digest_of
from daskgmm.models.writers.ownership import parsed
from daskgmm.models.writers.partial_places import JOURNAL, PARTIAL
from daskgmm.storage.address import Address
from daskgmm.storage.local import written_path

FOLDER = re.compile(r"[0-9a-f]{32}")
"""What runs call their folders where a target is written."""


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a journal with the checksum of what is in it: a spoiled one is not gone on from."""
    rest = {name: value for name, value in document.items() if name != "sha256"}
    return {**rest, "sha256": digest_of(rest)}


def whole_journal(content: bytes | None) -> dict[str, Any]:
    """Return a journal; empty if there is none, or none that is whole, to go on from."""
    document = parsed(content)
    whole = FOLDER.fullmatch(str(document.get("folder"))) and document == sealed(document)
    return document if whole else {}


def place_of(address: Address) -> Address:
    """Return where something is written that is to have that address."""
    if address.path is None:
        return replace(address, url=address.url.rstrip("/"))
    path = written_path(address.path)
    return Address.of(path.with_name(f"{path.name}{PARTIAL}"))


def left_behind(address: Address) -> Address | None:
    """Return where a run that did not end has left what it wrote; None if there is no such run."""
    place = place_of(address)
    return place if place.suffixed(JOURNAL).exists() else None
