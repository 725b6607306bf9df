"""Events of a fit, for its listeners: one small frozen record each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FitStarted:
    """A fit begins; nothing has been read yet.

    Attributes
    ----------
    rows : int or None
        None where only reading tells.
    features, components : int
    covariance_type : str
    batches : int
        Tasks of each pass.
    nbytes : int or None
        Bytes of one pass, decoded.
    resumed : int or None
        Iterations that a checkpoint had of the current initialisation; None if the fit
        begins from nothing.
    prior : str or None
        Its name; lower bounds are log posteriors then, up to a constant. Of a Bayesian mixture it
        is that of the weights, and bounds are those of the log evidence.
    noise : float
        Variance of the noise of the rows whose log likelihood lower bounds are, `reg_covar` of
        accelerated fits; without noise they are that of the rows.
    """

    rows: int | None
    features: int
    components: int
    covariance_type: str
    batches: int
    nbytes: int | None
    resumed: int | None = None
    prior: str | None = None
    noise: float = 0.0


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
class PassEnded:
    """All rows were read once.

    Attributes
    ----------
    name : {"survey", "sample", "expectation", "measure"}
    rows : int
    nbytes : int
        Decoded.
    seconds : float
    peak_memory : int
        The most memory that any process which took part has held so far, in bytes.
    waiting : float
        Of `seconds`, those in which tasks waited for rows to be read, on average over tasks. What
        is read ahead while others are computed is not in it.
    """

    name: str
    rows: int
    nbytes: int
    seconds: float
    peak_memory: int
    waiting: float = 0.0


@dataclass(frozen=True, slots=True)
class Started:
    """An initialisation begins its iterations; counted from 0."""

    initialisation: int


@dataclass(frozen=True, slots=True)
class StartFound:
    """Starts were tried on a sample in memory; no pass was made.

    Attributes
    ----------
    rows : int
        Of the sample.
    candidates : int
        Starts tried.
    lower_bound : float
        Of the best, on the sample.
    seconds : float
    begun_anew : bool
        Whether scikit-learn's start ends as well as the best, and EM takes its way from there: the
        first lower bounds that follow are below this one.
    """

    rows: int
    candidates: int
    lower_bound: float
    seconds: float
    begun_anew: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Iterated:
    """An iteration of EM has ended: one pass, rarely two, and one M-step.

    Attributes
    ----------
    initialisation : int
        Counted from 0.
    iteration : int
        Counted from 1.
    lower_bound : float
        Mean log-likelihood of the parameters that the pass used, in nats per row, with
        acceleration that of rows with noise of variance `reg_covar`; the one before, if the
        pass rejected what acceleration proposed. With a prior its log density, up to a constant
        and divided by the weight of all rows, is in it.
    change : float
        Its increase over the iteration before; infinite in the first.
    gap : float
        The increase that acceleration predicts to be left; nan in plain EM.
    accepted : bool
        Whether the pass rejected nothing; always true in plain EM.
    in_float32 : bool
        Whether the arithmetic on rows was in float32. Its lower bound is told 1e-4 nats per row
        lower than it was found, which is more than its error.
    left_out : float
        Of a truncated mixture (`n_candidates`): by how much the log-likelihood under all components
        is more than that under the candidates of each row, in nats per row, as some of the rows
        tell; nan of others.
    rows : int
    seconds : float
    nbytes : int
        Read, decoded.
    peak_memory : int
        As of `PassEnded`.
    """

    initialisation: int = 0
    iteration: int
    lower_bound: float
    change: float = math.inf
    gap: float = math.nan
    accepted: bool = True
    in_float32: bool = False
    left_out: float = math.nan
    rows: int
    seconds: float
    nbytes: int
    peak_memory: int


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """The state of the fit is safe.

    Attributes
    ----------
    path : str
    nbytes : int
        Size of the file.
    seconds : float
        What writing it took.
    """

    path: str
    nbytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Ended:
    """An initialisation has ended its iterations."""

    initialisation: int
    lower_bound: float
    converged: bool


@dataclass(frozen=True, slots=True)
class FitEnded:
    """The best of all initialisations is known.

    Attributes
    ----------
    lower_bound : float
    converged : bool
    iterations : int
        Of the best initialisation.
    passes : int
        Over all rows, in this process.
    seconds : float
        Of the whole fit, in this process.
    """

    lower_bound: float
    converged: bool
    iterations: int
    passes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SweepResumed:
    """A sweep resumes from its checkpoint; nothing has been read yet.

    Attributes
    ----------
    iteration : int
        Passes that any of the models has had.
    models : int
        That the checkpoint has, of those that did not fail.
    left : int
        That need another pass.
    """

    iteration: int
    models: int
    left: int


@dataclass(frozen=True, slots=True)
class SweepIterated:
    """A pass for several models at once has ended.

    Attributes
    ----------
    iteration : int
        Passes that any of them has had.
    models : int
        That shared the pass.
    left : int
        That need another one.
    bic : float
        The lowest BIC by then of a model that does not rest on a floor, as of its last pass; nan
        where there is none, or a prior.
    components : int
        Of that model; 0 if there is none.
    covariance_type : str
        Of that model.
    """

    iteration: int
    models: int
    left: int
    bic: float = math.nan
    components: int = 0
    covariance_type: str = ""


Event = (
    FitStarted
    | BatchDone
    | PassEnded
    | StartFound
    | Started
    | Iterated
    | SweepResumed
    | SweepIterated
    | Checkpointed
    | Ended
    | FitEnded
)

Listener = Callable[[Event], None]


def silence(event: Event) -> None:
    """Listen to nothing."""


def together(*listeners: Listener | None) -> Listener:
    """Return one listener that tells each of them, in order; None is nobody."""
    some = [listener for listener in listeners if listener is not None]

    def tell(event: Event) -> None:
        for listener in some:
            listener(event)

    return tell


def as_dict(event: Event) -> dict[str, Any]:
    """Return an event as plain values: its name as ``event``, numbers JSON can hold, or None."""
    fields = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in asdict(event).items()
    }
    return {"event": type(event).__name__, **fields}
