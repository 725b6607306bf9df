"""Companions of rows: weights, labels, variances of noise, and groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Part = TypeVar("Part")
Other = TypeVar("Other")

ARGUMENTS = {
    "weights": "sample_weight",
    "labels": "labels",
    "noise": "noise_variance",
    "groups": "groups",
}
"""Names of the arguments that users give companions by."""

WEIGHTS, LABELS = ARGUMENTS["weights"], ARGUMENTS["labels"]
GROUPS = ARGUMENTS["groups"]

ENTRIES = {WEIGHTS: "weight", LABELS: "label"}


def entry_of(argument: str) -> str:
    """Return the word for one entry of an argument."""
    return ENTRIES.get(argument, "entry")


def entries_of(argument: str) -> str:
    """Return the word for entries of an argument."""
    one = entry_of(argument)
    return "entries" if one == "entry" else f"{one}s"


@dataclass(frozen=True, slots=True)
class Companions(Generic[Part]):
    """A part for each companion of rows that is given: rows, segments, streams or arrays.

    Attributes
    ----------
    weights : object or None
        Of one axis.
    labels : object or None
        Of one axis.
    noise : object or None
        Of two axes.
    groups : object or None
        Of one axis.
    """

    weights: Part | None = None
    labels: Part | None = None
    noise: Part | None = None
    groups: Part | None = None

    def __iter__(self) -> Iterator[Part]:
        """Iterate over the parts that are given."""
        return (part for _, part in self.named())

    def named(self) -> Iterator[tuple[str, Part]]:
        """Iterate over the parts that are given, each after the name of its argument."""
        for attribute, argument in ARGUMENTS.items():
            part = getattr(self, attribute)
            if part is not None:
                yield argument, part

    def map(self, function: Callable[[Part], Other]) -> Companions[Other]:
        """Return the function's results, one for each part that is given."""
        return self.map_named(lambda _, part: function(part))

    def map_named(self, function: Callable[[str, Part], Other]) -> Companions[Other]:
        """Return the results of a function of the name of an argument and the part."""
        given = {
            attribute: function(name, part)
            for attribute, name in ARGUMENTS.items()
            if (part := getattr(self, attribute)) is not None
        }
        return Companions(**given) if given else ALONE


ALONE: Companions[Any] = Companions()
"""Rows with nothing beside them."""


def concatenated(each: Sequence[Companions[NDArray[Any]]]) -> Companions[NDArray[Any]]:
    """Return companions of the same kinds, of one set of rows after the other."""
    parts = zip(*each, strict=True)
    return each[0].map(lambda _: np.concatenate(next(parts)))
