"""The checkpoint of a fit: what the next iteration needs, safe after every iteration."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import uuid4

import numpy as np
import scipy
import sklearn

from daskgmm.em.acceleration.quasi_newton import Point
from daskgmm.em.acceleration.search import Search
from daskgmm.em.checkpoints.fingerprint import MAX_ITER, SEED
from daskgmm.em.checkpoints.packing import MALFORMED, encoded, named_once, pack, unpack
from daskgmm.em.checkpoints.wording import differences
from daskgmm.em.events import Checkpointed, Iterated, Listener
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.survey.observed import Observed
from daskgmm.em.survey.survey import Survey
from daskgmm.em.survey.weighing import Weighing
from daskgmm.errors import CheckpointError
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.deconvolution.known import KnownNoise
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.table import PRIORS
from daskgmm.gaussian.priors.variational_posterior import VariationalPosterior
from daskgmm.gaussian.truncation.anchors import Anchors
from daskgmm.gaussian.truncation.cells import Cells
from daskgmm.passes.configuration import backend_name
from daskgmm.passes.executors.environment import targets
from daskgmm.storage.address import Address
from daskgmm.storage.local import shortage
from daskgmm.user_warnings import warn_user
from daskgmm.version import __version__

FORMAT = "daskgmm-checkpoint"
FORMAT_VERSION = 2

HEAD_BYTES = 256
"""Bytes in which the run is found that wrote a checkpoint."""

RUN = re.compile(rb'"run": "([0-9a-f]{32})"')

KERNEL = "kernel"
"""Name of the back end among the versions; checkpoints that lack it were written with NumPy's."""

RUNS = {"State": "a fit", "SweepState": "a sweep"}
"""What the states of each class are of, for messages."""

RECORDS: dict[str, type] = {}
"""The records that a checkpoint is made of, by name."""


@dataclass(frozen=True, slots=True)
class State:
    """All that the rest of a fit depends on, besides the data and the settings.

    Attributes
    ----------
    survey : Survey
        Without its sample, which is drawn again if another start needs it.
        As the rows were read.
    coordinates : Coordinates or None
        What all the rest is in.
    sample_seed : int
    random_state : tuple
        Of the generator, after the start of the current initialisation.
    initialisation : int
        The current one, counted from 0.
    current : Fit
        How far it has come.
    best : Fit or None
        The best of those before.
    """

    survey: Survey
    coordinates: Coordinates | None
    sample_seed: int
    random_state: tuple[Any, ...]
    initialisation: int
    current: Fit
    best: Fit | None


Kept = TypeVar("Kept")

KINDS = (
    State, Survey, Weighing, Coordinates, Fit, Maximised, Parameters, VariationalPosterior,
    Iterated, Search, Point, Observed, KnownNoise, Cells, Anchors,
)  # fmt: skip
RECORDS.update({kind.__name__: kind for kind in KINDS})


class Checkpoint(Generic[Kept]):
    """A file that holds the state of one fit.

    The run that went on from it last owns it: the number of the run that wrote it stands near the
    beginning of the file, and is looked at before each write. So a run that was begun again and its
    predecessor, if that still lives, do not write in turn.

    Parameters
    ----------
    address : Address
    kind : type
        Of the states that are kept there.

    Raises
    ------
    CheckpointError
        If nothing can be written there, or what is there is torn or foreign.
    """

    def __init__(self, address: Address, kind: type[Kept]) -> None:
        self._address, self._kind = address, kind
        self._identity: dict[str, Any] = {}
        self._warned, self._run = False, uuid4().hex
        check_writable(address)
        self._document = read_document(address)
        self._expected = None if self._document is None else self._document.get("run")

    def load(self, identity: Mapping[str, Any], check: Callable[[Kept], None]) -> Kept | None:
        """Return the state that was kept, and take the file; None if there is none yet.

        Parameters
        ----------
        identity : mapping of str to plain values
            What the fit depends on: settings and the fingerprint of the data, by the names
            to use in errors.
        check : callable
            Raises `ValueError` for a state that no such fit can have kept.

        Raises
        ------
        CheckpointError
            If the file is of a fit with other data or settings, or of none.
        """
        self._identity = json.loads(json.dumps(dict(identity)))
        document, self._document = self._document, None
        if document is None:
            return None
        with self._told_of_damage():
            self._check_kind(document)
            self._compare(document["identity"])
            self._compare_versions(document["versions"])
            priors = {type(prior).__name__: type(prior) for prior in PRIORS.values()}
            state = unpack(document["state"], RECORDS | priors)
            if not isinstance(state, self._kind):
                raise TypeError("it holds no state")
            check(state)
        self._replace(document)
        return state

    def check_kind(self) -> None:
        """Raise `CheckpointError` if what is there, if anything, keeps states of another kind."""
        if self._document is not None:
            with self._told_of_damage():
                self._check_kind(self._document)

    @contextmanager
    def _told_of_damage(self) -> Iterator[None]:
        try:
            yield
        except CheckpointError:
            raise
        except MALFORMED as error:
            raise CheckpointError(_damaged(self._address, error)) from error

    def _check_kind(self, document: Mapping[str, Any]) -> None:
        """Raise `CheckpointError` if a sweep is to go on from a fit's, or the other way round."""
        found = str(document["state"].get("value", {}).get("record", self._kind.__name__))
        if found != self._kind.__name__:
            raise CheckpointError(
                f"The checkpoint {self._address} is not of the same kind: it is of "
                f"{RUNS.get(found, 'something else')}, and this is "
                f"{RUNS.get(self._kind.__name__, 'another thing')}. Give another path."
            )

    def save(self, state: Kept, listen: Listener) -> None:
        """Write the state; a failure is a warning, as the fit itself can go on."""
        began = time.perf_counter()
        document = {
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": versions(),
            "identity": self._identity,
            "state": pack(state),
        }
        length = self._replace(document)
        if length is not None:
            listen(Checkpointed(self._address.url, length, time.perf_counter() - began))

    def _replace(self, document: Mapping[str, Any]) -> int | None:
        """Write a document as this run's; return its bytes, None if it cannot be written."""
        signed = {"format": FORMAT, "format_version": FORMAT_VERSION, "run": self._run, "by": _by()}
        # The run stays within the first bytes, where it is looked for.
        signed |= {name: value for name, value in document.items() if name not in signed}
        content = _content({**signed, "sha256": digest_of(signed)})
        try:
            self._check_owned()
            self._address.replace(content)
        except CheckpointError:
            raise
        except Exception as error:  # of whatever kind the file system's library raises
            if not self._warned:
                self._warned = True
                short = shortage(error)
                why = f" {short.what.capitalize()}." if short else ""
                warn_user(
                    f"The checkpoint {self._address} cannot be written: "
                    f"{self._address.described(error)}.{why} The fit continues; if it is "
                    "interrupted, it resumes from the last one that was written.",
                )
            return None
        self._warned, self._expected = False, self._run
        return len(content)

    def _check_owned(self) -> None:
        """Raise `CheckpointError` if another run has written since this one looked or wrote."""
        head = self._address.read_head(HEAD_BYTES)
        found = RUN.search(head or b"")
        # Its own number is there where a write was told to have failed, and had come about.
        if head is None or (found and found[1].decode()) in (self._expected, self._run):
            return
        other = read_document(self._address) or {}
        raise CheckpointError(
            f"Another run has taken the checkpoint {self._address}: "
            f"{other.get('by', 'an older daskgmm')} wrote there at {other.get('written')}. This "
            "one stops, so that they do not write in turn. Give each run a path of its own."
        )

    def _compare(self, kept: Mapping[str, Any]) -> None:
        if MAX_ITER not in self._identity:
            # Those of sweeps had it once.
            kept = {name: value for name, value in kept.items() if name != MAX_ITER}
        names = sorted((self._identity.keys() | kept.keys()) - {SEED})
        if any(self._identity.get(name) != kept.get(name) for name in names):
            raise CheckpointError(
                f"The checkpoint {self._address} is of another fit: "
                f"{differences(kept, self._identity)}. Give the same data "
                "and settings to resume it, or another path (or remove the file) to begin anew."
            )

    def _compare_versions(self, kept: Mapping[str, Any]) -> None:
        differ = differing_versions({KERNEL: "numpy", **kept})
        if differ:
            warn_user(
                f"The checkpoint {self._address} was written {differ}. The fit resumes, but not "
                "necessarily to the same bits."
            )


def read_document(address: Address) -> dict[str, Any] | None:
    """Return a checkpoint as it was written, or None if there is none."""
    advice = "Check the address and the credentials."
    with address.explain(CheckpointError, f"The checkpoint {address} cannot be read", advice):
        content = address.read()
    if content is None:
        return None
    if not content:
        raise CheckpointError(_damaged(address, "it is an empty file of 0 bytes"))
    try:
        document = json.loads(content, object_pairs_hook=named_once)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(_damaged(address, error)) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise CheckpointError(
            f"{address} is not a checkpoint of daskgmm, so it is neither read nor replaced. Give "
            "another path."
        )
    if document.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"The checkpoint {address} has format_version {document.get('format_version')}; "
            f"this daskgmm reads {FORMAT_VERSION}. Resume with the version that wrote it."
        )
    if document.pop("sha256", None) != digest_of(document):
        raise CheckpointError(_damaged(address, "its checksum is wrong"))
    return document


def _by() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def digest_of(document: Any) -> str:
    """Return the SHA-256 of a plain document, whatever the order of its keys."""
    digest = hashlib.sha256()
    for piece in encoded(document, sort_keys=True):
        digest.update(piece)
    return digest.hexdigest()


def _content(document: Any) -> bytes:
    """Return a document as the bytes of its file."""
    file = io.BytesIO()
    file.writelines(encoded(document))
    return file.getvalue()


def versions() -> dict[str, str]:
    """Return the versions, instructions and the kernel that the bits of a fit depend on."""
    names = {"numpy": np, "scipy": scipy, "scikit-learn": sklearn}
    libraries = {name: lib.__version__ for name, lib in names.items()}
    return {"daskgmm": __version__, **libraries, **targets(), KERNEL: backend_name()}


def differing_versions(kept: Mapping[str, Any]) -> str:
    """Return in words what differs between what something was written with and what there is now.

    "" if nothing does; what is not kept counts as what there is now.
    """
    now = versions()
    differ = {name: version for name, version in kept.items() if now.get(name) != version}
    if not differ:
        return ""
    return f"with {_listed(differ)}; this is {_listed({name: now.get(name) for name in differ})}"


def check_writable(address: Address) -> None:
    """Raise `CheckpointError` if a place cannot be written, before any work is done."""
    if address.path is not None and address.path.is_dir():
        raise CheckpointError(
            f"{address} is a folder; a checkpoint is one file. Name a file in it."
        )
    address.check_place(CheckpointError, CheckpointError)


def _damaged(address: Address, what: object) -> str:
    return (
        f"The checkpoint {address} is damaged ({what}), so nothing is begun that would replace "
        "it. Put an undamaged copy in its place, or remove it to begin anew."
    )


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(names.items()))
