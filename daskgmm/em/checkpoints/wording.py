"""What differs between a checkpoint and the fit that is to go on from it, in users' words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daskgmm.em.checkpoints.fingerprint import DIGEST, MAX_ITER, PRIOR, SEED, VALUES
from daskgmm.em.settings import NOISE
from daskgmm.em.survey.weighing import RELATIVE
from daskgmm.gaussian.covariance.low_rank.families import family_of
from daskgmm.names import FLOAT64, MARGINALISE
from daskgmm.readers import remedy

LABELLING = "labelling"

RANDOM = "random_state"

OF_OTHER_VALUES = ("missing", "columns of ", "chunks of ")
"""Beginnings of what the values that are compared depend on: of other columns they are others."""

SHOWN = 60
"""Letters of a value."""

WORDS = (
    *("tol", "pca", "prior", "missing", "standardise", "noise", "tails", "acceleration"),
    *("precision", "labels"),
)
"""Settings whose names are words as well: a command is told that they are options."""


def differences(kept: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return what differs between two identities of fits, as settings are given.

    What follows from another difference is left out.
    """
    was, given = map(_as_given, _with_seeds(kept, now))
    names = [name for name in sorted(was.keys() | given.keys()) if was.get(name) != given.get(name)]
    follows = {MAX_ITER} if (MAX_ITER in was) != (MAX_ITER in given) else set()
    follows |= {PRIOR} if "prior" in names else set()
    follows |= {LABELLING} if "labels" in names else set()
    # Values that are compared are of all that is given, which is told by itself.
    values = {name for name in names if name.startswith(VALUES)}
    follows |= values - (was.keys() & given.keys())
    if any(name.startswith(OF_OTHER_VALUES) for name in names):
        follows |= values
    told = [name for name in names if name not in follows] or names
    return "; ".join(_difference(name, was.get(name), given.get(name)) for name in told)


def _with_seeds(
    kept: Mapping[str, Any], now: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return two identities with seeds in the place of states of generators that differ."""
    found = dict(kept), dict(now)
    seeds = [each.pop(SEED, each.get(RANDOM)) for each in found]
    if found[0].get(RANDOM) != found[1].get(RANDOM) and seeds[0] != seeds[1]:
        for each, seed in zip(found, seeds, strict=True):
            each[RANDOM] = seed
    return found


def _as_given(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an identity whose settings have the names and values that users give."""
    found = {"equal_weights": False, "precision": FLOAT64, **identity}
    if "drop_missing" in found:
        drops, keeps = found.pop("drop_missing"), found.pop("marginalise", False)
        found["missing"] = MARGINALISE if keeps else "drop" if drops else "error"
    if "weights_are" in found:
        found["weights_are"] = found["weights_are"] or RELATIVE
    if "accelerated" in found:
        found["acceleration"] = "auto" if found.pop("accelerated") else NO_ACCELERATION
    if "outliers" in found:
        outliers = found.pop("outliers")
        found["noise"] = outliers == NOISE
        found["tails"] = None if outliers == NOISE else outliers
    structure = found.get("covariance_type")
    if isinstance(structure, str) and (low_rank := family_of(structure)):
        found["covariance_type"], found["n_factors"] = low_rank
    return found


class _NoAcceleration:
    """The value of `acceleration` that is plain EM: it is given as None, and is not left out."""


NO_ACCELERATION = _NoAcceleration()


def _difference(name: str, was: Any, now: Any) -> str:
    said = remedy(name, f"{name} (--{name})") if name in WORDS else name
    if not any(str(value).startswith(DIGEST) for value in (was, now)):
        return f"{said} was {_in_words(was)} and is {_in_words(now)}"
    if was is None or now is None:
        return f"{said} was {'not ' * (was is None)}given and is {'not ' * (now is None)}given now"
    return f"{said}: other than before"


def _in_words(value: Any) -> str:
    if value is None:
        return "not given"
    if value is NO_ACCELERATION:
        return remedy("None", "none")
    if isinstance(value, bool):
        return remedy(f"{value}", "given" if value else "not given")
    if isinstance(value, list):
        return _short(", ".join(map(_in_words, value)))
    return _short(remedy(repr(value), str(value)))


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
