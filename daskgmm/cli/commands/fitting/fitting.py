"""The part that `fit` and `sweep` share: data, weights, checkpoint, listeners, and the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

import click

import daskgmm.cli.options.common as options
import daskgmm.names as names
from daskgmm.cli.exit_codes import NOT_CONVERGED
from daskgmm.cli.interrupting import interruptible
from daskgmm.cli.options.common import Command, added, taken
from daskgmm.cli.options.completing import PLACE
from daskgmm.cli.options.data import NOISE_VARIANCE, Data, choosing, weighing
from daskgmm.cli.options.workers import Workers, running
from daskgmm.cli.places import check_apart, check_no_log_in
from daskgmm.cli.reporting import not_converged, tell
from daskgmm.names import MARGINALISE, PRIORS
from daskgmm.storage.local import cut_to_whole_lines

if TYPE_CHECKING:
    from daskgmm.em.events import Listener
    from daskgmm.models.fitting.estimator import MixtureEstimator
    from daskgmm.progress import JsonLines

Found = TypeVar("Found")
Mixture = TypeVar("Mixture", bound="MixtureEstimator")

STANDARD_OUTPUT = "<stdout>"
"""Name of the file that click opens for ``-``."""


def axes_in(value: str) -> int | float:
    """Return a number of axes, or a fraction of the variance."""
    try:
        axes = int(value) if value.isdecimal() else float(value)
    except ValueError:
        axes = 0
    if axes >= 1 if isinstance(axes, int) else 0 < axes < 1:
        return axes
    raise click.BadParameter(f"{value} is neither a number of axes nor a fraction such as 0.99.")


class PriorWith(options.Entries):
    """Name of a prior, alone or with numbers: ``NAME:hyperparameter=number,...``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name, or the prior."""
        name, colon, rest = str(value).partition(":")
        name = super().convert(name, param, ctx)
        if not colon:
            return name
        from daskgmm.gaussian.priors.table import PRIORS

        kind, given = type(PRIORS[name]), {}
        for pair in rest.split(","):
            key, _, number = (part.strip() for part in pair.partition("="))
            try:
                given[key] = float(number)
            except ValueError:
                self.fail(
                    f"{pair!r} is not a number of a hyperparameter, such as mean_count=0.1. Arrays "
                    "are given from Python."
                )
        try:
            return kind(**given)
        except TypeError:
            known = ", ".join(field.name for field in fields(cast("Any", kind)))
            self.fail(f"{name} has the hyperparameters {known}.")
        except ValueError as error:
            self.fail(str(error))


N_INIT = click.option(
    "--n-init", type=click.IntRange(1), default=1, show_default=True,
    help="Number of starts; the best one is kept.",
)  # fmt: skip
INIT = click.option(
    "--init", "init_params", type=click.Choice(names.STARTS), default="kmeans",
    show_default=True, help="How to start.",
)  # fmt: skip
REG_COVAR = click.option(
    "--reg-covar", type=click.FloatRange(0), default=1e-6, show_default=True,
    help="Variance added to the diagonals of the covariances.",
)  # fmt: skip
PRIOR = click.option(
    "--prior", metavar="NAME[:KEY=NUMBER,...]", type=PriorWith("PRIORS", "priors.table", PRIORS),
    help=(
        "Find the posterior mode under this prior, for example conjugate (no component "
        "collapses) or conjugate:mean_count=0.1."
    ),
)  # fmt: skip
EQUAL_WEIGHTS = click.option(
    "--equal-weights", is_flag=True, help="Fix the mixing proportions at 1/k."
)
PRECISION = click.option(
    "--precision", type=click.Choice([names.FLOAT64, names.FLOAT32]), default=names.FLOAT64,
    show_default=True,
    help="float32 lets early passes be in it, by the compiled kernel; the last are in float64.",
)  # fmt: skip
SEED = click.option(
    "--seed", "random_state", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
    help="Seed of the starts. The same seed gives the same model, bit for bit.",
)  # fmt: skip
CHECKPOINT = click.option(
    "--checkpoint", metavar="PATH", type=PLACE,
    help=(
        "Save the state of the fit in this file or URL after each iteration, and resume from it "
        "if it exists."
    ),
)  # fmt: skip
MISSING = click.option(
    "--missing", type=click.Choice(["error", "drop", MARGINALISE]), default="error",
    show_default=True,
    help="How to treat rows with missing values: marginalise uses the values that are present.",
)  # fmt: skip
STANDARDISE = click.option(
    "--standardise", is_flag=True, help="Divide each feature by its standard deviation."
)
PCA = click.option(
    "--pca", metavar="N|FRACTION", type=axes_in,
    help=(
        "Fit in this number of principal axes, or in the axes that explain this fraction of the "
        "variance, for example 0.99."
    ),
)  # fmt: skip


class LogFile(click.File):
    """A file that begins with the first event: a command that is refused leaves no empty one."""

    def resolve_lazy_flag(self, value: Any) -> bool:
        """Open at once what is there, standard output, and what cannot be made."""
        path = Path(value)
        new = value != "-" and not os.path.lexists(path)
        return new and os.access(path.parent, os.W_OK)


LOG_JSON = click.option(
    "--log-json", type=LogFile("a"), metavar="FILE",
    help="Append each event to this file as a line of JSON ('-' for standard output).",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fitting:
    """Options of a fit, besides the settings of the mixture.

    Events are written to `log_json`.
    """

    data: Data
    weights_are: str | None
    checkpoint: str | None
    cache: str | None
    log_json: TextIO | None
    workers: Workers
    quiet: bool

    def run(
        self,
        fit: Callable[..., Found],
        shown: AbstractContextManager[Listener | None],
        what: str = "fit",
        **settings: Any,
    ) -> Found:
        """Return what `fit` makes of the data, shown while it runs; it is called `what`."""
        from daskgmm.em.events import together
        from daskgmm.progress import JsonLines

        self.data.check_meaning(self.weights_are)
        x, arguments = self.data.training(quiet=self.quiet)
        json_lines = None if self.log_json is None else JsonLines(self.log_json)
        checkpoint = None if self.checkpoint is None else self.data.address(self.checkpoint)
        with (
            interruptible(checkpoint, what),
            self.workers.current(),
            _whole_lines(json_lines, self.log_json),
            shown as listener,
        ):
            if self.weights_are is not None:
                arguments["weights_are"] = self.weights_are
            return fit(
                x,
                checkpoint=self.checkpoint,
                cache=self.cache,
                listen=together(listener, json_lines),
                **arguments,
                **settings,
            )

    def check_places(self, **outputs: str | None) -> None:
        """Raise `click.UsageError` if something is written to what is read, or to one place."""
        log = None if self.log_json is None else self.log_json.name
        log = None if log == STANDARD_OUTPUT else log
        written = {f"--{name}": path for name, path in outputs.items()}
        written |= {"--checkpoint": self.checkpoint, "--log-json": log}
        check_apart(self.data.places | self.workers.places, written)
        check_no_log_in(log, self.data.path)

    def say(self, report: str) -> None:
        """Show the result."""
        if not self.quiet:
            # Standard output may be taken by the events.
            tell(report, err=self.log_json is not None)


@contextmanager
def _whole_lines(json_lines: JsonLines | None, log: TextIO | None) -> Iterator[None]:
    """Leave only whole lines in the file of a log that failed, and nothing to be written to it."""
    try:
        yield
    finally:
        if json_lines is not None and json_lines.failed and log is not None:
            # What is still buffered fails again, as long as the file is open.
            with suppress(OSError):
                log.close()
            with suppress(OSError):
                cut_to_whole_lines(Path(log.name))


def checked(mixture: Mixture) -> Mixture:
    """Return an estimator; raise `SettingError` for settings that do not go together."""
    from daskgmm.errors import SettingError

    try:
        mixture._validate_params()
    except ValueError as error:
        raise SettingError(str(error)) from error
    return mixture


def check_converged(mixture: Any, checkpoint: str | None) -> None:
    """End with a warning and a code of its own unless the mixture converged."""
    if not mixture.converged_:
        tell(f"Warning: {not_converged(mixture, checkpoint)}", err=True)
        raise click.exceptions.Exit(NOT_CONVERGED)


def fitting(command: Command) -> Command:
    """Add the options of commands that fit, `running` among them; they get a `Fitting`."""

    @wraps(command)
    def gathered(**settings: Any) -> Any:
        given, others = taken(Fitting, settings)
        return command(given, **others)

    return added(
        choosing(weighing(running(gathered))),
        options.weights_are,
        NOISE_VARIANCE,
        MISSING,
        STANDARDISE,
        PCA,
        options.max_iter,
        options.sample_rows,
        REG_COVAR,
        PRIOR,
        EQUAL_WEIGHTS,
        PRECISION,
        SEED,
        CHECKPOINT,
        options.cache,
        LOG_JSON,
    )
