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

CALL = re.compile(r"daskgmm\.\w+\([^()]*\), or (?=--)")
"""A call beside an option that does the same."""

OTHERS = {
    "feature_dims": "features",
    "sample_weight(?! is the column)": "weights",
    "sample_weight(?= is the column)": "weight_column",
}
"""Parameters whose option gathers its value under another name, as patterns."""


def with_options(text: str, command: click.Command) -> str:
    """Return a message in which a parameter is followed by its option, once.

    A parameter is what has an underscore, or a value: max_iter, tails='contaminated'. Other names
    are words as well, and messages that mean them name the option themselves.
    """
    options = {
        str(param.name): max(param.opts, key=len)
        for param in command.params
        if isinstance(param, click.Option)
    }
    options |= {name: options[own] for name, own in OTHERS.items() if own in options}
    for name, option in options.items():
        if option not in text:
            text = _pattern(name).sub(rf"\g<0> ({option})", text, count=1)
    return CALL.sub("", SET.sub(_as_typed, text))


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
