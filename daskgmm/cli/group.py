"""The group of all commands; whatever goes wrong in one ends in a message."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import click

from daskgmm.cli.advice import advice, plain_warnings
from daskgmm.cli.commands.changing.adapt import adapt
from daskgmm.cli.commands.changing.merge import merge
from daskgmm.cli.commands.changing.update import update
from daskgmm.cli.commands.compare import compare
from daskgmm.cli.commands.convert import convert
from daskgmm.cli.commands.demo import demo
from daskgmm.cli.commands.drift import drift
from daskgmm.cli.commands.errors import errors
from daskgmm.cli.commands.fitting.fit import fit
from daskgmm.cli.commands.fitting.plan import plan
from daskgmm.cli.commands.fitting.sweep import sweep
from daskgmm.cli.commands.info import info
from daskgmm.cli.commands.plot import plot
from daskgmm.cli.commands.predicting.impute import impute
from daskgmm.cli.commands.predicting.predict import predict
from daskgmm.cli.commands.predicting.regress import regress
from daskgmm.cli.commands.predicting.transform import transform
from daskgmm.cli.commands.sample import sample
from daskgmm.cli.commands.score import score
from daskgmm.cli.exit_codes import INTERRUPTED
from daskgmm.cli.interrupting import NOTHING_WRITTEN, terminable
from daskgmm.cli.parameters import with_options
from daskgmm.cli.reporting import fitted_to
from daskgmm.errors import SettingError
from daskgmm.readers import of_commands
from daskgmm.spelling import nearest
from daskgmm.version import __version__


class Guarded(click.Group):
    """A group whose commands end in messages, never in tracebacks."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of a name; of none that is, say which one is near."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            said, near = error.message, nearest(args[0], self.commands)
            if near is None or near in said:
                raise
            # Before click 8.4 it does not say so itself.
            raise click.UsageError(f"{said} Did you mean {near!r}?", ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        with plain_warnings(), terminable(), of_commands():
            try:
                return super().invoke(ctx)
            except (click.exceptions.Exit, click.Abort, BrokenPipeError):
                raise
            except click.ClickException as error:
                if not sys.stderr.isatty():
                    raise
                raise _on_terminal(error) from error
            except KeyboardInterrupt as interrupt:
                left = f"Interrupted; {interrupt}." if str(interrupt) else NOTHING_WRITTEN
                click.echo(fitted_to(left, sys.stderr.isatty()), err=True)
                ctx.exit(INTERRUPTED)
            except Exception as error:
                if os.environ.get("DASKGMM_TRACEBACK"):
                    traceback.print_exc()
                raise _on_terminal(self._failed(ctx, error)) from error

    def _failed(self, ctx: click.Context, error: Exception) -> click.ClickException:
        """Return what ends a command after an error; settings that none takes are wrong usage."""
        name = ctx.invoked_subcommand
        command = self.commands.get(name or "", self)
        text = with_options(advice(error), command, self.commands.get("fit"))
        if isinstance(error, SettingError):
            return click.UsageError(text, click.Context(command, info_name=name, parent=ctx))
        return click.ClickException(text)


def _on_terminal(error: click.ClickException) -> click.ClickException:
    """Return an error whose text has lines that a terminal has room for, behind its first word."""
    text = fitted_to(error.format_message(), sys.stderr.isatty(), before=len("Error: "))
    if isinstance(error, click.UsageError):
        return click.UsageError(text, error.ctx)
    return click.ClickException(text)


@click.group(cls=Guarded, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="daskgmm")
def main() -> None:
    """Fit Gaussian mixtures to data that do not fit in memory.

    Exit codes: 0 done, 1 failed (the message says what to do), 2 wrong usage, 3 not converged
    (the model is written), 4 drift beyond --level, 130 interrupted.
    """


COMMANDS = (
    *(fit, sweep, plan, predict, regress),
    *(adapt, update, merge, score, errors, drift, sample),
    *(transform, impute, compare),
    *(convert, info, plot, demo),
)
for command in COMMANDS:
    main.add_command(command)
