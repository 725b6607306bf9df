"""The name of a fitted mixture: the file that it was read from, or its class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daskgmm.em.checkpoints.fingerprint import plain_digest
from daskgmm.models.facts.clusters import clusters_of
from daskgmm.models.predictions.digests import density_digest
from daskgmm.models.writers.about import NamedModel


@dataclass(frozen=True, slots=True)
class ReadFrom:
    """The file that a mixture was read from.

    Attributes
    ----------
    name : str
        Its path or URL, as errors show it.
    sha256 : str or None
        The checksum in it; files of version 1 have none.
    digest : str
        `mixture_digest` of what was read: a mixture that was changed since is not that of the file.
    """

    name: str
    sha256: str | None
    digest: str


def mixture_digest(mixture: Any) -> str:
    """Return a digest of the density and the clusters of a fitted mixture."""
    clusters = clusters_of(mixture)
    merged = None if clusters is None else tuple(map(int, clusters))
    return plain_digest((density_digest(mixture._parameters(), mixture._coordinates()), merged))


def named_model(mixture: Any) -> NamedModel:
    """Return what a fitted mixture is called."""
    read = mixture._read_from
    if read is not None and read.digest == mixture_digest(mixture):
        return NamedModel(read.name, read.sha256)
    return NamedModel(mixture._class_name or type(mixture).__name__)
