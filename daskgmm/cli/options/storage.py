"""Options of stores, as the command line gives them."""

from __future__ import annotations

import json
from typing import Any

import click


def check_storage_options(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any] | None:
    """Return what texts such as client_kwargs.region_name=eu-west-1 ask for; None for none.

    Values that are JSON are taken as such. Messages name keys only: values may be secret.
    """
    found: dict[str, Any] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not all(name.split(".")):
            raise click.BadParameter("give KEY=VALUE, or KEY.KEY=VALUE for options of options.")
        _put(found, name, _plain(text))
    return found or None


def _put(options: dict[str, Any], name: str, value: Any) -> None:
    *outer, last = name.split(".")
    for key in outer:
        options = options.setdefault(key, {})
        if not isinstance(options, dict):
            raise click.BadParameter(f"{key} of {name} has a value already.")
    if last in options:
        raise click.BadParameter(f"{name} has a value already.")
    options[last] = value


def _plain(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
