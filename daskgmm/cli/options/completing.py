"""What a shell offers for values of options; click offers commands, options and choices itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType


class Place(StringParamType):
    """A path or a URL: a text, which a shell completes as the path of a file or folder."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return what makes a shell look for files and folders."""
        return [CompletionItem(incomplete, type="file")]


PLACE = Place()


class PlaceOrUnfinished(Place):
    """A path or a URL, also of predictions whose run has not ended."""


class NewPlace(Place):
    """A place that a command writes.

    Parameters
    ----------
    check : function, optional
        Raises `SettingError` for a name of another format.
    """

    def __init__(self, check: Callable[[str], None] | None = None) -> None:
        self.check = check


class NamesOf(StringParamType):
    """A text, of which a shell completes the last of some names with commas between them.

    Others may be given, as names are added to tables.

    Parameters
    ----------
    names : sequence of str
        Those that the table always has.
    table : str
        The module of the table.
    """

    def __init__(self, names: Sequence[str], table: str) -> None:
        self.names, self.table = names, table
        self._choice = click.Choice(names)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that may stand last."""
        return listed_items(self._choice, ctx, param, incomplete)


def listed_items(
    one: click.ParamType[Any], ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return lists of values, with commas between them, of which the last one is completed."""
    before, comma, last = incomplete.rpartition(",")
    items = one.shell_complete(ctx, param, last)
    return [CompletionItem(f"{before}{comma}{each.value}") for each in items]
