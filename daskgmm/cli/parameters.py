"""Parameters of the library's functions in messages, with the options that set them."""

from __future__ import annotations

import re

import click

SET = re.compile(
    r"(?<![\w.(])[a-z_]+=(?P<value>(?!None|False)(?:'[^']*'|[\w.-]*\w)) "
    r"\((?P<option>--[a-z-]+(?: [^()]+)?)\)"
)
"""A setting of Python with its option behind it, as missing='drop' (--missing drop)."""

QUOTE = "'"

OF_FIT = "fit "
"""What stands before an option that the command itself lacks."""

OTHERS = {
    "feature_dims": "features",
    "sample_weight(?! is the column)": "weights",
    "sample_weight(?= is the column)": "weight_column",
}
"""Parameters whose option gathers its value under another name, as patterns."""


def with_options(text: str, command: click.Command, fit: click.Command | None = None) -> str:
    """Return a message in which a parameter is followed by its option, once.

    A parameter is what has an underscore, or a value: max_iter, tails='contaminated'. Other names
    are words as well, and messages that mean them name the option themselves.

    Parameters
    ----------
    text : str
    command : click.Command
        The one that ends with the message.
    fit : click.Command, optional
        The one that made the model: settings that `command` has not are set there.
    """
    options = _options_of(command)
    options |= {name: options[own] for name, own in OTHERS.items() if own in options}
    of_fit = {} if fit is None else _options_of(fit)
    options |= {name: OF_FIT + of_fit[name] for name in of_fit.keys() - options.keys()}
    for name, option in options.items():
        if option.removeprefix(OF_FIT) not in text:
            text = _pattern(name).sub(rf"\g<0> ({option})", text, count=1)
    return SET.sub(_as_typed, text)


def _options_of(command: click.Command) -> dict[str, str]:
    return {
        str(param.name): max(param.opts, key=len)
        for param in command.params
        if isinstance(param, click.Option)
    }


def _as_typed(found: re.Match[str]) -> str:
    """Return a setting as it is typed on the command line."""
    value, option = found["value"], found["option"]
    if value == "True" or " " in option:
        return option
    return f"{option} {value if ' ' in value else value.strip(QUOTE)}"


def _pattern(name: str) -> re.Pattern[str]:
    """Return what finds a parameter in a sentence, but not in code or as a column's name."""
    value = r"=(?:'[^']*'|[\w.]*\w)"
    needed = "?" if "_" in name else ""
    return re.compile(rf"(?<![\w.(\['\"/-]){name}(?:{value}){needed}(?![\w(\['\"=/-]|\.\w)")
