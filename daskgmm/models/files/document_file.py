"""Model documents as files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daskgmm.errors import ModelFileError
from daskgmm.models.files.model_document import (
    FORMAT,
    FORMAT_VERSION,
    Choose,
    UnknownNameError,
    mixture_of,
)
from daskgmm.models.files.settings_entry import Kind
from daskgmm.models.mixtures.named_model import ReadFrom, mixture_digest
from daskgmm.models.signed_file import (
    FileKind,
    check_digest,
    read_signed,
    told_of_damage,
    write_signed,
)
from daskgmm.storage.address import Address

MODEL = FileKind(
    FORMAT,
    FORMAT_VERSION,
    content="model",
    file="model file",
    written_by="`daskgmm fit` or save_model",
    again="Fit the model again",
)


def write_document(document: Mapping[str, Any], address: Address) -> None:
    """Write a document and its checksum, whole or not at all."""
    write_signed(document, address, MODEL)


def read_document(address: Address) -> dict[str, Any]:
    """Return the document in a file, of a version that this daskgmm knows."""
    return read_signed(address, MODEL)


def read_mixture(choose: Choose[Kind], address: Address) -> Kind:
    """Return the mixture in a file, of the class that `choose` returns for its `types`."""
    document = read_document(address)
    try:
        with told_of_damage(address, MODEL):
            mixture = mixture_of(document, choose)
            # Last, so that what is wrong is named where it can be.
            if document["format_version"] > 1 or "sha256" in document:
                check_digest(document)
            digest = mixture_digest(mixture)
    except UnknownNameError as error:
        raise ModelFileError(f"{address} cannot be read here: {error}") from error
    mixture._read_from = ReadFrom(str(address), document.get("sha256"), digest)
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
    return FORMAT.encode() in content or MODEL.opening.startswith(content)
