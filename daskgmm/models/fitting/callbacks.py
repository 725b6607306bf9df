"""What is told of a fit: to scikit-learn's callbacks, from 1.9 on, and to users line by line."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from daskgmm.em.events import Ended, Event, Iterated, Started
from daskgmm.em.fit import Fitted, StopFit
from daskgmm.em.objective import objective_name
from daskgmm.models.inputs.costs import TrainingData

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupportMixin
    from sklearn.callback import with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for scikit-learn's where it has none."""

    def with_callbacks(method: Any) -> Any:
        """Return the method."""
        return method


Attributes = dict[str, Any]


class Iterations:
    """What is called after each iteration, and tells callbacks that a task has ended."""

    def __init__(
        self, estimator: Any, root: Any, attributes: Callable[[Fitted], Attributes]
    ) -> None:
        self._estimator, self._root, self._attributes = estimator, root, attributes
        self._task: Any = None

    def begin(self) -> None:
        """Begin the next iteration."""
        self._task = self._root.subcontext(task_name="iteration")
        self._task.call_on_fit_task_begin(estimator=self._estimator)

    def __call__(self, ended: bool, found: Callable[[], Fitted]) -> None:
        """End an iteration; raise `StopFit` if a callback asks for it.

        `ended` says whether it was the last one of its start, `found` what there is by now.
        """
        if self._task is None:
            self.begin()
        task, self._task = self._task, None
        stop = task.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes=lambda: self._attributes(found())
        )
        if stop:
            raise StopFit
        if not ended:
            self.begin()


@contextmanager
def told_to_callbacks(
    estimator: Any, given: TrainingData, attributes: Callable[[Fitted], Attributes]
) -> Iterator[Iterations | None]:
    """Tell the callbacks of an estimator of a fit; yield what is called after each iteration.

    `attributes` makes those of an estimator that had stopped there. None without callbacks.
    """
    if not (hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")):
        yield None
        return
    iterations = math.prod((int(estimator.n_init), int(estimator.max_iter)))
    weights = given.sample_weight
    metadata = None if weights is None else {"sample_weight": weights}
    told = {"estimator": estimator, "X": given.source.x, "metadata": metadata}
    try:
        root = estimator._init_callback_context(max_subtasks=iterations)
        root.call_on_fit_task_begin(**told)
        yield Iterations(estimator, root, attributes)
        root.call_on_fit_task_end(**told, reconstruction_attributes={})
    finally:
        _torn_down(estimator)


@with_callbacks  # type: ignore[untyped-decorator]  # no types there
def _torn_down(estimator: Any) -> None:
    """Tear callbacks down: what is decorated does so as it ends."""


class Printer:
    """Prints starts, every `interval`-th iteration and ends, above 1 with seconds and changes."""

    def __init__(self, verbose: int, interval: int, prior: str | None = None) -> None:
        self._detailed = verbose > 1
        self._objective = "ll" if prior is None else objective_name(prior)
        self._interval = interval
        self._began = self._last = time.perf_counter()

    def __call__(self, event: Event) -> None:
        """Print one event."""
        now = time.perf_counter()
        if isinstance(event, Started):
            print(f"Initialization {event.initialisation}")
            self._began = self._last = now
        elif isinstance(event, Iterated) and event.iteration % self._interval == 0:
            changed = f"{self._objective} change {event.change:.5f}"
            told = f"\t time lapse {now - self._last:.5f}s\t {changed}"
            print(f"  Iteration {event.iteration}{told if self._detailed else ''}")
            self._last = now
        elif isinstance(event, Ended):
            state = "converged" if event.converged else "did not converge"
            told = f" time lapse {now - self._began:.5f}s\t lower bound {event.lower_bound:.5f}."
            print(f"Initialization {state}.{told if self._detailed else ''}")
