"""What a fit tells those who listen: one small frozen record an event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A batch of the current pass has come back.

    Attributes
    ----------
    done, total : int
        Batches of this pass.
    """

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The first pass over the rows has ended.

    Attributes
    ----------
    rows, features : int
    nbytes : int
        Bytes of one pass, decoded.
    batches : int
    seconds : float
    """

    rows: int
    features: int
    nbytes: int
    batches: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Started:
    """An initialisation begins its iterations; counted from 0."""

    initialisation: int


@dataclass(frozen=True, slots=True)
class Iterated:
    """An iteration of EM has ended: one pass and one M-step.

    Attributes
    ----------
    initialisation : int
        Counted from 0.
    iteration : int
        Counted from 1.
    lower_bound : float
        Mean log-likelihood of the parameters that the pass used, in nats a row.
    change : float
        Its increase over the iteration before; infinite in the first.
    rows : int
    seconds : float
    """

    initialisation: int
    iteration: int
    lower_bound: float
    change: float
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Ended:
    """An initialisation has ended its iterations."""

    initialisation: int
    lower_bound: float
    converged: bool


Event = BatchDone | Surveyed | Started | Iterated | Ended

Listener = Callable[[Event], None]


def silence(event: Event) -> None:
    """Listen to nothing."""
