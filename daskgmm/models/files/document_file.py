"""Model documents as files: one JSON object, one entry a line, at a path or a URL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from daskgmm.em.checkpoint import digest_of
from daskgmm.errors import ModelFileError
from daskgmm.models.files.model_document import (
    FORMAT,
    FORMAT_VERSION,
    Choose,
    Kind,
    UnknownNameError,
    mixture_of,
)
from daskgmm.storage.address import Address

OPENING = f'{{\n"format": "{FORMAT}"'.encode()
"""What model files that daskgmm wrote begin with."""

FIT_AGAIN = "Fit the model again, or fetch an undamaged copy of the file."


def write_document(document: Mapping[str, Any], address: Address) -> None:
    """Write a document and its checksum, whole or not at all."""
    signed = {**document, "sha256": digest_of(document)}
    lines = (
        f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in signed.items()
    )
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    advice = "Give a path in a folder that exists and that you may write to."
    with address.explain(ModelFileError, f"The model cannot be written to {address}", advice):
        address.replace(text.encode())


def read_document(address: Address) -> dict[str, Any]:
    """Return the document in a file, of a version that this daskgmm knows."""
    document = _parsed(_content(address), address)
    if document.get("format") != FORMAT:
        raise ModelFileError(
            f"{address} is JSON, but no model of daskgmm: its 'format' is not '{FORMAT}'. "
            "Give a file that `daskgmm fit` or save_model wrote."
        )
    version = document.get("format_version")
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise ModelFileError(
            f"{address} has format_version {str(version)[:60]}; this daskgmm reads up to "
            f"{FORMAT_VERSION}. Update it with: pip install --upgrade daskgmm"
        )
    return document


def read_mixture(choose: Choose[Kind], address: Address) -> Kind:
    """Return the mixture in a file, of the class that `choose` returns for its `types`."""
    document = read_document(address)
    try:
        mixture = mixture_of(document, choose)
        # Last, so that what is wrong is named where it can be.
        if document["format_version"] > 1 or "sha256" in document:
            _check_digest(document)
    except UnknownNameError as error:
        raise ModelFileError(f"{address} cannot be read here: {error}") from error
    except KeyError as error:
        raise ModelFileError(f"{address} is damaged: {error} is missing. {FIT_AGAIN}") from error
    except (IndexError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{address} is damaged: {error}. {FIT_AGAIN}") from error
    return mixture


def may_be_model(address: Address) -> bool:
    """Return whether a file says that it is a model, or is empty; torn models are some too."""
    try:
        # Before a file of many GB is read to the end.
        if address.read_head(1) not in (b"{", b""):
            return False
        content = address.read() or b""
    except IsADirectoryError:
        return False
    return FORMAT.encode() in content or OPENING.startswith(content)


def _content(address: Address) -> bytes | None:
    advice = "Check the path, and that you may read it."
    with address.explain(ModelFileError, f"{address} cannot be read", advice):
        try:
            head = address.read_head(1)
        except IsADirectoryError as error:
            raise ModelFileError(
                f"{address} is a folder; a model is one JSON file. Give that file."
            ) from address.harmless(error)
        # Before a file of many GB is read to the end.
        if head not in (b"{", None):
            raise ModelFileError(
                f"{address} is no model file: it does not begin as JSON. Give a file that "
                "`daskgmm fit` or save_model wrote."
            )
        return address.read()


def _parsed(content: bytes | None, address: Address) -> dict[str, Any]:
    if content is None:
        raise ModelFileError(
            f"There is no model file {address}. Check the path, or make one with `daskgmm fit`."
        )
    try:
        document: dict[str, Any] = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{address} is torn or no JSON: {error}. {FIT_AGAIN}") from error
    return document


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not finite, and JSON has no such number")


def _check_digest(document: Mapping[str, Any]) -> None:
    rest = {name: value for name, value in document.items() if name != "sha256"}
    if document["sha256"] != digest_of(rest):
        raise ValueError("its checksum is wrong: something in it was changed since it was written")
