"""The model file: one JSON document that holds a fitted mixture, exact to the bit.

JSON, because a model should be readable in twenty years, by people and in any language, and
because nothing in it can run. Python writes a float with the fewest digits that read back as
the same float64. `daskgmm.models.files.model_document` says what is in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from daskgmm.errors import OutputError
from daskgmm.files import is_url, read_head
from daskgmm.models.estimator import MixtureEstimator
from daskgmm.models.estimators import ESTIMATORS
from daskgmm.models.files.document_file import may_be_model, read_mixture
from daskgmm.models.files.model_document import FORMAT_VERSION as FORMAT_VERSION
from daskgmm.models.files.model_document import UnknownNameError
from daskgmm.storage_options import shown


def save_model(
    mixture: MixtureEstimator,
    path: str | os.PathLike[str],
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Write a fitted mixture to a JSON file; as `GaussianMixture.save`."""
    mixture.save(path, storage_options)


def load_model(
    path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
) -> MixtureEstimator:
    """Read a mixture that `save_model` wrote; as `GaussianMixture.load`, of any estimator."""
    return read_mixture(_known, path, storage_options)


def _known(types: Sequence[str]) -> type[MixtureEstimator]:
    for name in types:
        if name in ESTIMATORS:
            return ESTIMATORS[name]
    raise UnknownNameError(
        f"it holds a {types[0]}, which is none of {', '.join(ESTIMATORS)}. Import the module that "
        "adds it to daskgmm.models.estimators.ESTIMATORS first (--import), or use that class's "
        "load."
    )


def model_path(
    out: str | os.PathLike[str],
    overwrite: bool,
    storage_options: Mapping[str, Any] | None = None,
) -> Path | str:
    """Return where a model goes, a path or a URL; raise unless it may go there.

    Raises
    ------
    FileNotFoundError
        If the folder that it names does not exist.
    FileExistsError
        If it exists, and is no model file or `overwrite` is false.
    """
    place: Path | str = os.fspath(out) if is_url(out) else Path(out).expanduser()
    if isinstance(place, Path) and not place.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {place.parent} for {out}. Make it first.")
    if not _exists(place, storage_options):
        return place
    if not overwrite:
        raise FileExistsError(
            f"{shown(out)} exists. Choose another place (--out), or replace it with --overwrite."
        )
    if not may_be_model(place, storage_options):
        raise FileExistsError(
            f"{shown(out)} exists and is no model file, so it is not overwritten. Choose another "
            "place (--out)."
        )
    return place


def save_new(
    mixture: MixtureEstimator,
    out: str | os.PathLike[str],
    overwrite: bool,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Write a fitted mixture to where `model_path` let it go when the fit began.

    Raises
    ------
    OutputError
        If another run has written there since. The model is then in a file beside.
    """
    try:
        model_path(out, overwrite, storage_options)
    except FileExistsError as error:
        folder, slash, name = os.fspath(out).rpartition("/")
        beside = f"{folder}{slash}{uuid4().hex[:8]}-{name}"
        save_model(mixture, beside, storage_options)
        raise OutputError(
            f"{shown(out)} was written by another run while this one was fitting, and is left as "
            f"it is. The model of this run is in {shown(beside)}."
        ) from error
    save_model(mixture, out, storage_options)


def _exists(place: Path | str, storage_options: Mapping[str, Any] | None) -> bool:
    if isinstance(place, Path):
        return place.exists()
    return read_head(place, 1, storage_options) is not None
