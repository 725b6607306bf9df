"""What `fit` and `sweep` share: data, weights, a checkpoint, listeners, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from daskgmm.cli import options
from daskgmm.cli.exit_codes import NOT_CONVERGED
from daskgmm.cli.interrupting import interruptible
from daskgmm.cli.options import Command, added
from daskgmm.cli.reporting import not_converged
from daskgmm.cli.workers import Workers, running

if TYPE_CHECKING:
    from daskgmm.em.events import Listener

Found = TypeVar("Found")

REG_COVAR = click.option(
    "--reg-covar", type=click.FloatRange(0), default=1e-6, show_default=True,
    help="Added to the diagonals of the covariances.",
)  # fmt: skip
SEED = click.option(
    "--seed", "random_state", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True
)
CHECKPOINT = click.option(
    "--checkpoint", metavar="PATH",
    help="Keep the state of the fit in this file or URL, and go on from it if it is there.",
)  # fmt: skip
LOG_JSON = click.option(
    "--log-json", type=click.File("a"), metavar="FILE",
    help="Append every event as a line of JSON ('-' for standard output).",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fitting:
    """What the command line says about a fit, besides the settings of the mixture.

    Attributes
    ----------
    data, weights, checkpoint : str or None
        Paths or URLs.
    cache : str or None
        A size.
    log_json : file or None
        Where events go.
    workers : Workers
    quiet : bool
    storage_options : dict or None
        Of the URLs among the paths.
    """

    data: str
    weights: str | None
    checkpoint: str | None
    cache: str | None
    log_json: TextIO | None
    workers: Workers
    quiet: bool
    storage_options: dict[str, Any] | None = field(default=None, repr=False)

    def run(
        self,
        fit: Callable[..., Found],
        shown: AbstractContextManager[Listener | None],
        **settings: Any,
    ) -> Found:
        """Return what `fit` makes of the data, shown while it runs."""
        from daskgmm.em.events import together
        from daskgmm.rows.opening import open_data

        options = self.storage_options
        rows = open_data(self.data, options)
        sample_weight = None if self.weights is None else open_data(self.weights, options)
        with (
            self.workers.current(),
            shown as listener,
            interruptible(self.checkpoint, options),
        ):
            return fit(
                rows,
                sample_weight=sample_weight,
                checkpoint=self.checkpoint,
                cache=self.cache,
                listen=together(*self._listeners(listener)),
                storage_options=options,
                **settings,
            )

    def _listeners(self, shown: Listener | None) -> list[Listener]:
        from daskgmm.progress import JsonLines

        listeners = [] if shown is None else [shown]
        return listeners if self.log_json is None else [*listeners, JsonLines(self.log_json)]

    def say(self, report: str) -> None:
        """Show the result."""
        if not self.quiet:
            # Standard output may be taken by the events.
            click.echo(report, err=self.log_json is not None)


def check_converged(mixture: Any, checkpoint: str | None) -> None:
    """End with a warning and a code of its own unless the mixture converged."""
    if not mixture.converged_:
        click.echo(f"Warning: {not_converged(mixture, checkpoint)}", err=True)
        raise click.exceptions.Exit(NOT_CONVERGED)


def fitting(command: Command) -> Command:
    """Add the options of commands that fit, `running` among them; they get a `Fitting`."""

    @wraps(command)
    def gathered(
        *,
        data: str,
        weights: str | None,
        checkpoint: str | None,
        cache: str | None,
        log_json: TextIO | None,
        workers: Workers,
        quiet: bool,
        storage_options: dict[str, Any] | None,
        **others: Any,
    ) -> Any:
        paths = (data, weights, checkpoint)
        given = Fitting(*paths, cache, log_json, workers, quiet, storage_options)
        return command(given, **others)

    return added(
        running(gathered),
        options.max_iter,
        REG_COVAR,
        SEED,
        options.weights,
        CHECKPOINT,
        options.storage_options,
        options.cache,
        LOG_JSON,
    )
