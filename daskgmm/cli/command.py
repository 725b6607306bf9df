"""A command whose options may stand in a file, and whose help has headings and an example."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from daskgmm.cli.config import settings_in
from daskgmm.cli.headings import by_heading
from daskgmm.cli.mistakes import check_places
from daskgmm.cli.options.completing import PLACE

CONFIG = click.option(
    "--config", metavar="FILE", type=PLACE, expose_value=False,
    help=(
        "Read options from this file (YAML, TOML or JSON): long names with values; a list for "
        "several values, true for an option without a value. Options on the command line take "
        "precedence. Paths are relative to the working directory."
    ),
)  # fmt: skip


LONG_CHOICE = re.compile(r"\[([^]]{60,})\]")
"""Choices that make the line of an option longer than 80 characters."""

CONFIG_PLACE = "daskgmm.config"
"""Entry of a context: the path of the file of --config."""


class Command(click.Command):
    """A command of daskgmm.

    Parameters
    ----------
    *given
        As of `click.Command`.
    example : str
        A line to type, which the help shows.
    **settings
        As of `click.Command`.
    """

    def __init__(self, *given: Any, example: str, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self.example = example
        CONFIG(self)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take what is in the file of --config for the defaults, then what was typed."""
        try:
            return self._parsed(ctx, args)
        except click.NoSuchOption as error:
            setting = error.option_name.lstrip("-").replace("-", "_")
            option = next((each.opts[0] for each in self.params if each.name == setting), None)
            if option is None:
                raise
            message = f"No such option {error.option_name!r}; it is {option}."
            raise click.NoSuchOption(error.option_name, message, ctx=error.ctx) from error

    def _parsed(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            typed = self.make_parser(ctx).parse_args(list(args))[0]
            path, asked = typed.get("config"), self.get_help_option(ctx)
            if isinstance(path, str) and (asked is None or asked.name not in typed):
                ctx.default_map = settings_in(path, self.params)
                ctx.meta[CONFIG_PLACE] = path
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; first say what it was to read and is not there, and what is in its way.

        The libraries that read and write it take seconds to import, and a wrong path is a frequent
        mistake.
        """
        check_places(self.params, ctx.params)
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under headings."""
        for heading, params in by_heading(self.get_params(ctx)).items():
            with formatter.section(heading):
                formatter.write_dl([_record(each, ctx) for each in params])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example, on one line however long it is."""
        with formatter.section("Example"):
            formatter.write(f"{'':{formatter.current_indent}}{self.example}\n")


def _record(param: click.Parameter, ctx: click.Context) -> tuple[str, str]:
    """Return an option and its help, which lists the choices that the former has no room for."""
    option, text = param.get_help_record(ctx) or ("", "")
    option = re.sub(r"(INTEGER|FLOAT) RANGE$", "NUMBER", option)
    if long := LONG_CHOICE.search(option):
        option = option.replace(long[0], "NAME")
        text = f"{text}  One of {', '.join(long[1].split('|'))}."
    return option, text


def command(*, example: str, **settings: Any) -> Callable[[Callable[..., Any]], Command]:
    """Return what makes a `Command` of a function, of its name."""
    return click.command(cls=Command, example=example, **settings)
