"""How predictions were made, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from daskgmm.models.writers.about import (
    DIGEST,
    FEATURES,
    MISSING,
    MODEL,
    NUMBER,
    SEED,
    SHA256,
    VERSION,
)
from daskgmm.names import MARGINALISE
from daskgmm.rows.checks.name_lists import names_text

SHOWN_DIGITS = 12
"""Hexadecimal digits of a digest that are shown."""

LISTED_FEATURES = 100

TREATMENTS = {
    "error": "refused (error)",
    "drop": "rows with gaps left without a prediction (drop)",
    MARGINALISE: "rows predicted from the values that they have (marginalise)",
}
"""What became of rows with missing values, by the setting `missing`."""


def provenance(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what predictions say of how they were made; earlier versions wrote nothing of it."""
    if MODEL not in facts:
        return []
    kind, digest = ("sha256", facts[SHA256]) if SHA256 in facts else ("digest", facts.get(DIGEST))
    checked = "" if digest is None else f", {kind} {short(digest)}"
    told = [("model", f"{facts[MODEL]}{checked}")]
    missing = facts.get(MISSING)
    if missing is not None:
        told.append(("gaps", TREATMENTS.get(str(missing), str(missing))))
    if SEED in facts:
        told.append(("seed", str(facts[SEED])))
    return [*told, *_features(facts), *_written_by(facts)]


def short(digest: object) -> str:
    """Return the first digits of a digest, as they are shown."""
    return str(digest).removeprefix("sha256:")[:SHOWN_DIGITS]


def _features(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = facts.get(FEATURES)
    if isinstance(names, Sequence) and not isinstance(names, str):
        more = len(names) - LISTED_FEATURES
        rest = f" and {more:,} more" if more > 0 else ""
        return [("features", names_text([str(each) for each in names[:LISTED_FEATURES]]) + rest)]
    return [("features", f"{facts[NUMBER]:,}, without names")] if NUMBER in facts else []


def _written_by(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("written by", f"daskgmm {facts[VERSION]}")] if VERSION in facts else []
