"""What a shell offers for values of options; click offers commands, options and choices itself."""

from __future__ import annotations

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


def listed_items(
    one: click.ParamType[Any], ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return lists of values, with commas between them, of which the last one is completed."""
    before, comma, last = incomplete.rpartition(",")
    items = one.shell_complete(ctx, param, last)
    return [CompletionItem(f"{before}{comma}{each.value}") for each in items]
