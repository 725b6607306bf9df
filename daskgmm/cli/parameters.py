"""Parameters of the library's functions in messages, with the options that set them."""

from __future__ import annotations

import re

import click

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
    return text


def _pattern(name: str) -> re.Pattern[str]:
    """Return what finds a parameter in a sentence, but not in code or as a column's name."""
    value = r"=(?:'[^']*'|[\w.]*\w)"
    needed = "?" if "_" in name else ""
    return re.compile(rf"(?<![\w.(\['\"/-]){name}(?:{value}){needed}(?![\w(\['\"=/-]|\.\w)")
