"""Runs that write predictions and have not ended, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from daskgmm.counting import counted
from daskgmm.models.writers.journal import place_of, whole_journal
from daskgmm.models.writers.partial_places import JOURNAL, target_of
from daskgmm.models.writers.unlike import BATCHES, SAID, WRITES
from daskgmm.report.listing import listed
from daskgmm.report.provenance import short
from daskgmm.storage.address import Address
from daskgmm.storage.masking import shown

Facts = list[tuple[str, str]]

HELD = (
    "the journal is torn, so no run resumes from what is written: the same command begins anew, "
    "with --overwrite if it asks for it"
)
"""What is said of a run whose journal is not whole."""


def unfinished_at(address: Address) -> tuple[Address, Facts] | None:
    """Return where a run has left what it wrote so far, and what is known of it; None without one.

    The address is that of its target, of the folder beside it, or of its journal.
    """
    target = replace(address, url=target_of(address.url))
    if not target.url:
        return None
    root = place_of(target)
    content = root.suffixed(JOURNAL).read()
    return None if content is None else (root, _facts(whole_journal(content), target))


def describe_unfinished(address: Address) -> str | None:
    """Return what is known of a run that has not ended and writes there; None without one."""
    found = unfinished_at(address)
    if found is None:
        return None
    root, facts = found
    return f"{root}: predictions of a run that has not ended\n{listed(facts)}"


def _facts(journal: Mapping[str, Any], target: Address) -> Facts:
    if not journal:
        return [("to resume", HELD)]
    identity = journal.get("identity")
    identity = identity if isinstance(identity, Mapping) else {}
    total, done = identity.get(BATCHES), len(journal.get("done", ()))
    of = "" if total is None else f" of {counted(total, 'batch', 'es')}"
    names = ", ".join(map(str, journal.get(WRITES, ())))
    return [
        ("so far", f"{counted(done, 'batch', 'es') if total is None else f'{done:,}'}{of}"),
        *([("outputs", names)] if names else []),
        *_model(journal),
        ("begun", _begun(journal)),
        ("to resume", _how(target)),
    ]


def _model(journal: Mapping[str, Any]) -> Facts:
    said, identity = (journal.get(name) for name in (SAID, "identity"))
    if isinstance(said, Mapping) and "model" in said:
        return [("model", str(said["model"]))]
    if isinstance(identity, Mapping) and "model" in identity:
        return [("model", f"digest {short(identity['model'])}")]
    return []


def _begun(journal: Mapping[str, Any]) -> str:
    where = f", on {journal['host']} by process {journal['process']}" if "host" in journal else ""
    return f"{journal.get('began', 'at an unknown time')}{where}"


def _how(target: Address) -> str:
    return (
        "if that process has ended, repeat the command (or call) that began it, with the same "
        f"model, data and settings and --out {shown(target.url)}: it resumes from what is "
        "written. With --overwrite another command removes this and begins anew"
    )
