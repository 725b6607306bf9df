"""Documents as files: one JSON object with a checksum, one entry a line, at a path or a URL."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from daskgmm.em.checkpoints.checkpoint import FORMAT as CHECKPOINT
from daskgmm.em.checkpoints.checkpoint import digest_of
from daskgmm.em.checkpoints.packing import MALFORMED, named_once
from daskgmm.errors import ModelFileError
from daskgmm.models.writers.naming import check_document, check_document_name
from daskgmm.readers import remedy
from daskgmm.storage.address import Address

HEAD_BYTES = 64
"""Bytes of a file in which a checkpoint says that it is one."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of document, and the words for it in errors.

    Attributes
    ----------
    format : str
        The entry `format` of the document.
    version : int
        The largest entry `format_version` that this daskgmm reads.
    content : str
        "model".
    file : str
        "model file".
    written_by : str
        Who writes such files.
    again : str
        Advice: how to make another one.
    """

    format: str
    version: int
    content: str
    file: str
    written_by: str
    again: str

    @property
    def mend(self) -> str:
        """Advice for a damaged file."""
        return f"{self.again}, or fetch an undamaged copy of the file."

    @property
    def opening(self) -> bytes:
        """First bytes of files that daskgmm wrote."""
        return f'{{\n"format": "{self.format}"'.encode()


def write_signed(document: Mapping[str, Any], address: Address, kind: FileKind) -> None:
    """Write a document and its checksum, whole or not at all.

    Raises
    ------
    SettingError
        If the name says that the file is none of text.
    ModelFileError
        If it cannot be written.
    """
    check_document_name(address.url, kind.file, kind.content)
    signed = {**document, "sha256": digest_of(document)}
    lines = (
        f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in signed.items()
    )
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    advice = "Give a path in a folder that exists and that you may write to."
    with address.explain(
        ModelFileError, f"The {kind.content} cannot be written to {address}", advice
    ):
        address.replace(text.encode())


def read_signed(address: Address, kind: FileKind) -> dict[str, Any]:
    """Return the document in a file, of a version that this daskgmm knows; see `check_digest`."""
    document = _parsed(_content(address, kind), address, kind)
    if document.get("format") == CHECKPOINT:
        again = remedy(f"the same call, checkpoint={str(address)!r}", f"--checkpoint {address}")
        raise ModelFileError(
            f"{address} is the checkpoint of a fit or sweep, which has not written its "
            f"{kind.content} yet. Resume it: {again} and the same data and settings. "
            "`daskgmm info` says what it is of."
        )
    if document.get("format") != kind.format:
        raise ModelFileError(
            f"{address} is JSON, but no {kind.content} of daskgmm: its 'format' is not "
            f"'{kind.format}'. Give a file that {kind.written_by} wrote."
        )
    version = document.get("format_version")
    if type(version) is not int or not 1 <= version <= kind.version:
        raise ModelFileError(
            f"{address} has format_version {str(version)[:60]}; this daskgmm reads up to "
            f"{kind.version}. Update it with: pip install --upgrade daskgmm"
        )
    return document


@contextmanager
def told_of_damage(address: Address, kind: FileKind) -> Iterator[None]:
    """Say of errors while a document is taken apart that its file is damaged."""
    try:
        yield
    except KeyError as error:
        raise ModelFileError(f"{address} is damaged: {error} is missing. {kind.mend}") from error
    except MALFORMED as error:
        raise ModelFileError(f"{address} is damaged: {error}. {kind.mend}") from error


def is_checkpoint(address: Address) -> bool:
    """Return whether a file begins as a checkpoint does; a few bytes are read. A folder is none."""
    try:
        return f'"{CHECKPOINT}"'.encode() in (address.read_head(HEAD_BYTES) or b"")
    except IsADirectoryError:
        return False


def check_digest(document: Mapping[str, Any]) -> None:
    """Raise `ValueError` or `KeyError` unless a document has the checksum of its content."""
    rest = {name: value for name, value in document.items() if name != "sha256"}
    if document["sha256"] != digest_of(rest):
        raise ValueError("its checksum is wrong: something in it was changed since it was written")


def _content(address: Address, kind: FileKind) -> bytes | None:
    advice = "Check the path, and that you may read it."
    with address.explain(ModelFileError, f"{address} cannot be read", advice):
        check_document(address, kind.file, kind.written_by)
        return address.read()


def _parsed(content: bytes | None, address: Address, kind: FileKind) -> dict[str, Any]:
    if content is None:
        raise ModelFileError(
            f"There is no {kind.file} {address}. Check the path; {kind.written_by} writes one."
        )
    try:
        document: dict[str, Any] = json.loads(
            content, parse_constant=_refuse, object_pairs_hook=named_once
        )
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{address} is torn or no JSON: {error}. {kind.mend}") from error
    return document


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not finite, and JSON has no such number")
