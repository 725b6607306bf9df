"""Names of predictions and models, which say their format."""

from __future__ import annotations

import os
from pathlib import PurePath

from daskgmm.errors import ModelFileError, SettingError
from daskgmm.names import PARQUET_SUFFIXES
from daskgmm.readers import remedy
from daskgmm.storage.address import Address, path_text
from daskgmm.storage.masking import shown

ZARR = (".zarr",)

OTHERS = (
    ".arrow", ".csv", ".feather", ".gz", ".h5", ".hdf", ".hdf5", ".ipc", ".json", ".jsonl", ".nc",
    ".nc4", ".npy", ".npz", ".pickle", ".pkl", ".png", ".tif", ".tiff", ".tsv", ".txt", ".xlsx",
    ".zip",
)  # fmt: skip
"""Suffixes of formats that predictions are not written in."""

DOCUMENTS = (".json", ".txt")
"""Those of them that a document, which is text in JSON, may have."""


def check_document_name(out: str | os.PathLike[str], file: str, content: str) -> None:
    """Raise `SettingError` for a name that says that it is no document, such as a "model file"."""
    suffix = _suffix(out)
    if suffix in {*OTHERS, *ZARR, *PARQUET_SUFFIXES} - {*DOCUMENTS}:
        raise SettingError(
            f"{shown(path_text(out))} ends in {suffix}, and a {file} is JSON. Name it "
            f"otherwise, such as {content}.json."
        )


def check_document(address: Address, file: str, written_by: str) -> None:
    """Raise `ModelFileError` if there is a folder, or a file that does not begin as JSON.

    A file of many GB is so not read to its end first.
    """
    try:
        head = address.read_head(1)
    except IsADirectoryError as error:
        raise ModelFileError(
            f"{address} is a folder; a {file} is one JSON file. Give that file."
        ) from address.harmless(error)
    if head not in (b"{", None):
        raise ModelFileError(
            f"{address} is not a {file}: it does not begin as JSON. Give a file that {written_by} "
            "wrote."
        )


def check_model_name(out: str | os.PathLike[str]) -> None:
    """Raise `SettingError` for a name that says that it is no model file."""
    check_document_name(out, "model file", "model")


def check_predictions_name(out: str | os.PathLike[str]) -> None:
    """Raise `SettingError` for a name that says that it is neither Zarr nor Parquet."""
    if _suffix(out) not in PARQUET_SUFFIXES:
        check_zarr_name(out)


def check_zarr_name(out: str | os.PathLike[str]) -> None:
    """Raise `SettingError` for a name that says that it is no Zarr group."""
    _check(out, PARQUET_SUFFIXES, f"the predictions would be Zarr. {_others()}")


def check_parquet_name(out: str | os.PathLike[str]) -> None:
    """Raise `SettingError` for a name that says that it is no folder of Parquet files."""
    _check(out, ZARR, f"the predictions would be Parquet. {_others()}")


def check_array_name(out: str | os.PathLike[str]) -> None:
    """Raise `SettingError` for a name that says that it is no Zarr array."""
    _check(
        out,
        PARQUET_SUFFIXES,
        "a sample is a Zarr array. Name it so, such as sample.zarr"
        f"{remedy('; rows of `sample_lazily` can be written in other formats', '')}.",
    )


def _others() -> str:
    """Return how predictions come to other formats."""
    return (
        "Write Zarr, such as labels.zarr, or Parquet, such as labels.parquet"
        f"{remedy(' (predict_to_parquet)', '')}. xarray and pandas read these, and write other "
        "formats."
    )


def _check(out: str | os.PathLike[str], of_other: tuple[str, ...], advice: str) -> None:
    suffix = _suffix(out)
    if suffix in (*of_other, *OTHERS):
        raise SettingError(f"{shown(path_text(out))} ends in {suffix}, and {advice}")


def _suffix(out: str | os.PathLike[str]) -> str:
    return PurePath(path_text(out).rstrip("/")).suffix.lower()
