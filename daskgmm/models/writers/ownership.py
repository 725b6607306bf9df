"""Owner of a place that is written to: the run that took it last."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from daskgmm.em.checkpoints.packing import named_once
from daskgmm.errors import OutputError
from daskgmm.storage.address import Address


@dataclass(frozen=True)
class Owner:
    """A run that has taken a place; the journal there begins with its number.

    Attributes
    ----------
    run : str
        Hexadecimal, of this run only.
    target : Address
        The address that is to be written.
    journal : Address
    """

    run: str
    target: Address
    journal: Address

    def holds(self) -> bool:
        """Return whether no other run has taken the place since; a few bytes are read."""
        head = self.head
        return self.journal.read_head(len(head)) == head

    def check(self) -> None:
        """Raise `OutputError` if another run has taken the place."""
        if not self.holds():
            raise self.lost()

    @property
    def head(self) -> bytes:
        """Bytes that the journal begins with: they name the run."""
        return json.dumps({"run": self.run}).encode()[:-1]

    def lost(self) -> OutputError:
        """Return the error of the run that lost its place, with what is known of the other."""
        content = self.journal.read()
        other = "" if content is None else f" It is {described(parsed(content))}."
        ended = " and has ended there, or its journal was removed" if content is None else ""
        return OutputError(
            f"Another run has taken the place of {self.target}{ended}, so this one stops and "
            f"leaves nothing there that is not the other's.{other} Let one run write there at a "
            "time, or give each a place of its own."
        )


def identified() -> dict[str, Any]:
    """Return where and when this run began, as its journal says it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"began": now, "host": socket.gethostname(), "process": os.getpid()}


def described(journal: Mapping[str, Any]) -> str:
    """Return in words which run a journal is of."""
    identity = journal.get("identity")
    model = identity.get("model", "unknown") if isinstance(identity, Mapping) else "unknown"
    return (
        f"of the model {model}, begun {journal.get('began', 'at an unknown time')} on "
        f"{journal.get('host', 'an unknown host')} by process {journal.get('process', 'unknown')}"
    )


def parsed(content: bytes | None) -> dict[str, Any]:
    """Return a journal; empty if there is none, or what is there is torn."""
    try:
        document = json.loads(content or b"{}", object_pairs_hook=named_once)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
