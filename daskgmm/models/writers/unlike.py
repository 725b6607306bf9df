"""What an interrupted run wrote that another one cannot go on from: in words, and not removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daskgmm.counting import counted
from daskgmm.storage.address import Address

WRITES = "writes"
"""Name of the arrays or columns that a run writes, in its journal."""

SAID = "said"
"""Name of what a run was asked for in words, by the names of its identity, in its journal."""

BATCHES, SEED, VALUES = "batches", "random_state", "values"

DIFFERENT = {
    "model": "another model",
    SEED: "another random_state (--seed)",
    "outputs": "other outputs",
    "columns": "other outputs or keys",
    "layout": "other chunks, shards or dimensions",
    "coordinates": "other coordinates",
    "rows": "other rows",
    "source": "other rows",
    VALUES: "other values of the rows",
    BATCHES: "another cut of the rows into batches",
}
"""What differs, by its name in the identity of a run."""

NAMED = ("outputs", "columns")
"""Of these the journal has the names as well."""


def differing(before: object, identity: Mapping[str, Any]) -> list[str]:
    """Return the names of what differs between the identities of two runs."""
    if not isinstance(before, Mapping):
        return []
    names = [*identity, *(name for name in before if name not in identity)]
    found = [name for name in names if before.get(name) != identity.get(name)]
    # Of other rows or chunks there are other batches.
    return [name for name in found if name != BATCHES] or found


def unlike(
    root: Address,
    journal: Mapping[str, Any],
    names: list[str],
    writes: list[str],
    asked: Mapping[str, str],
) -> FileExistsError:
    """Return the error of a run that finds at `root` what another one wrote, with these unlike.

    `writes` are the names of the arrays or columns that this run would write, and `asked` what it
    is asked for in words, by the names of its identity.
    """
    if "model" in names and journal.get(WRITES) == writes:
        names = [name for name in names if name not in NAMED]  # of other shapes
    done, begun = journal["done"], journal.get("began", "an unknown time")
    words = list(dict.fromkeys(_in_words(name, journal, asked) for name in names))
    return FileExistsError(
        f"{root} holds {counted(len(done), 'batch', 'es')} that an interrupted run, begun {begun}, "
        f"wrote with {', '.join(words)}. If it still runs, wait for its end. The same call or "
        "command, repeated with what it had then, resumes from there. To begin anew, which removes "
        "what is written, give overwrite=True (--overwrite). Or choose another place (--out)."
    )


def _in_words(name: str, journal: Mapping[str, Any], asked: Mapping[str, str]) -> str:
    """Return what differs with both values, as far as they are known and tell it."""
    text, before = DIFFERENT.get(name, f"another {name}"), _before(name, journal)
    if before is None or before == asked.get(name, before):
        return text
    return f"{text} (written: {before}; asked: {asked[name]})"


def _before(name: str, journal: Mapping[str, Any]) -> str | None:
    """Return what was asked for in words; journals of earlier versions have less of it."""
    said, identity, written = (journal.get(key) for key in (SAID, "identity", WRITES))
    if isinstance(said, Mapping):
        return None if name not in said else str(said[name])
    if name == SEED and isinstance(identity, Mapping):
        return seed_in_words(identity.get(SEED))
    return ", ".join(map(str, written)) if name in NAMED and isinstance(written, list) else None


def seed_in_words(seed: object) -> str:
    """Return a seed, or that there is none."""
    return "none" if seed is None else str(seed)
