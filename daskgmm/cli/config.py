"""Options from a file: what stands in it is what might have been typed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from daskgmm.cli.headings import long_name
from daskgmm.spelling import nearest

NOT_IN_FILES = ("config", "help")

FLAGS = ("true", "false", "yes", "no", "on", "off")

NULL = "tag:yaml.org,2002:null"


def settings_in(path: str, params: Sequence[click.Parameter]) -> dict[str, Any]:
    """Return the values of options in a YAML, TOML or JSON file, by the names of parameters.

    Values are texts, as if they were typed, so that the types of options see the same either way.

    Raises
    ------
    click.UsageError
        If the file cannot be read, or has a key that is no option.
    """
    known = {long_name(each): each for each in params}
    known = {name: each for name, each in known.items() if name not in NOT_IN_FILES}
    found: dict[str, Any] = {}
    for key, value in _pairs_in(path):
        name = str(key).replace("_", "-")
        if name not in known:
            raise click.UsageError(f"--config {path}: {_unknown(str(key), known)}")
        param = known[name]
        if param.name in found:
            raise click.UsageError(f"--config {path}: {key!r} is there twice. Leave one of them.")
        if value is not None:
            found[str(param.name)] = _as_typed(value, param, f"--config {path}: {key!r}")
    return found


def _pairs_in(path: str) -> Iterable[tuple[Any, Any]]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.UsageError(f"--config {path} cannot be read: {reason}.") from error
    read = {".toml": _in_toml, ".json": _in_json}.get(Path(path).suffix.lower(), _in_yaml)
    try:
        pairs = read(text)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise click.UsageError(f"--config {path} cannot be read: {reason}.") from error
    if pairs is None:
        raise click.UsageError(
            f"--config {path} holds no options; give lines such as `components: 5`."
        )
    return pairs


def _in_toml(text: str) -> Iterable[tuple[Any, Any]] | None:
    import tomllib

    return tomllib.loads(text, parse_float=str).items()


def _in_json(text: str) -> Iterable[tuple[Any, Any]] | None:
    import json

    # Pairs, as a key may be there twice.
    pairs = json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=tuple)
    return pairs if isinstance(pairs, tuple) else None


def _in_yaml(text: str) -> Iterable[tuple[Any, Any]] | None:
    import yaml

    class Texts(yaml.BaseLoader):  # type: ignore[misc]
        """Reads scalars as the texts that they are, so that 1e-3, no and 010 stay these."""

    Texts.add_implicit_resolver(NULL, re.compile("(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
    Texts.add_constructor(NULL, lambda loader, node: None)
    loader = Texts(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return ()
        if not isinstance(node, yaml.MappingNode):
            return None
        made = loader.construct_object
        return [(made(key, deep=True), made(value, deep=True)) for key, value in node.value]
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    finally:
        loader.dispose()


def _unknown(key: str, known: Iterable[str]) -> str:
    """Return the message for a key that is no option."""
    near = nearest(key.replace("_", "-"), known)
    advice = f"did you mean {near!r}?" if near else "--help lists the options."
    return f"{key!r} is not an option of this command; {advice}"


def _as_typed(value: Any, param: click.Parameter, where: str) -> Any:
    """Return a value as the parser makes it of what is typed: a text, or several."""
    texts = [_text(each, where) for each in (value if isinstance(value, list) else [value])]
    if not texts:
        raise click.UsageError(f"{where} is an empty list. Give a value, or leave the line out.")
    if getattr(param, "multiple", False) or param.nargs == -1:
        return texts
    text = ",".join(texts)
    if getattr(param, "is_flag", False) and text.lower() not in FLAGS:
        raise click.UsageError(f"{where} is {text!r}; give true or false.")
    return text


def _text(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list, tuple)) or value is None:
        raise click.UsageError(f"{where} holds more than a value, or a list of values.")
    return str(value)
