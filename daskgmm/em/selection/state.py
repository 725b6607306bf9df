"""State of a sweep: its models, how far each has come, and what could not be fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from daskgmm.counting import counted
from daskgmm.em.checkpoints.checkpoint import RECORDS
from daskgmm.em.iterations.progress import Fit
from daskgmm.em.selection.holding_out import HeldOut
from daskgmm.em.settings import Settings
from daskgmm.em.survey.labelling import Labelling
from daskgmm.em.survey.survey import Survey
from daskgmm.errors import CheckpointError
from daskgmm.gaussian.coordinates import Coordinates


@dataclass(frozen=True, slots=True)
class Model:
    """One number of components, structure and seed of a sweep.

    Attributes
    ----------
    settings : Settings
    seed : int
        Of its start.
    fit : Fit
        How far it has come: on all rows, or on the sample if it took part in no pass.
    on_all_rows : bool
        Whether it was not clearly beaten on the sample: passes are made for it.
    held_out : HeldOut or None
    reserve : bool
        Whether it may be the best if the start that went on ends without evidence.
    rides : bool
        Whether it takes part in the passes that are made for others.
    rode : bool
        Whether it took part in some, and `fit` is of these.
    """

    settings: Settings
    seed: int
    fit: Fit
    on_all_rows: bool
    held_out: HeldOut | None = None
    reserve: bool = False
    rides: bool = False
    rode: bool = False

    @property
    def on_rows(self) -> Fit:
        """How far it has come on all rows."""
        return self.fit if self.on_all_rows or self.rode else Fit(self.fit.step)

    @property
    def passes(self) -> int:
        """Passes over all rows that it took part in."""
        return len(self.on_rows.iterations)

    @property
    def ended(self) -> bool:
        """Whether no pass is to be made for it."""
        return not self.on_all_rows or self.fit.ended(self.settings.max_iter)

    @property
    def takes_part(self) -> bool:
        """Whether the next pass changes it."""
        goes = self.on_all_rows or self.rides
        return goes and not self.on_rows.ended(self.settings.max_iter)

    def n_degenerate(self, survey: Survey) -> int:
        """Return how many components rest on the floor of all rows, collapsed, or have no rows."""
        return survey.n_degenerate(self.fit.step, self.settings.reg_covar)


@dataclass(frozen=True, slots=True)
class Failure:
    """A number of components and structure that cannot be fitted; the seed is of its first start.

    If it went on from the sample (`on_all_rows`), others of its kind may go on instead.
    """

    settings: Settings
    seed: int
    reason: str
    on_all_rows: bool = False


@dataclass(frozen=True, slots=True)
class SweepState:
    """All that the rest of a sweep depends on; the survey is of the rows as they were read."""

    survey: Survey
    coordinates: Coordinates | None
    models: tuple[Model, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether no pass is to be made."""
        return all(model.ended for model in self.models)


Settled = TypeVar("Settled", Model, Failure)

KINDS = (SweepState, Model, Failure, Settings, Labelling, HeldOut)

RECORDS.update({kind.__name__: kind for kind in KINDS})


def allowed(kept: SweepState, max_iter: int) -> SweepState:
    """Return what a sweep kept, with as many iterations as are allowed now.

    Raises
    ------
    CheckpointError
        If there have been more already.
    """
    done = max((model.passes for model in kept.models), default=0)
    if done > max_iter:
        raise CheckpointError(
            f"The checkpoint is of a sweep with {counted(done, 'iteration')} already, and max_iter "
            f"is {max_iter}. Raise max_iter (--max-iter), or give another path to begin anew."
        )

    def changed(each: Settled) -> Settled:
        return replace(each, settings=replace(each.settings, max_iter=max_iter))

    models, failures = map(changed, kept.models), map(changed, kept.failures)
    return replace(kept, models=tuple(models), failures=tuple(failures))
